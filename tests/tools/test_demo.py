"""The demo: the whole path ends well, one wrong value ends it with its name, and what a file lacks is skipped aloud."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import datasets
import h5py
import numpy as np
import pyarrow as pa
import pytest

from hf_h5 import cli
from hf_h5.errors import MissingPackageError
from hf_h5.tools import demo
from hf_h5.tools.digits import write_digits
from hf_h5.tools.picture import Samples, draw_picture, find_images, to_image
from hf_h5.tools.training import Task, find_task, train_classifier

pytestmark = pytest.mark.filterwarnings("ignore::hf_h5.errors.H5Warning")


def png_size(file: Path) -> tuple[int, int]:
    """Read width and height from the header (PNG specification, section 11.2.2)."""
    content = file.read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    return int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")


def test_the_demo_runs_from_digits_to_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["demo", "-o", str(tmp_path / "out")]) == 0
    out, err = capsys.readouterr()
    steps = [line for line in out.splitlines() if line[:1].isdigit()]
    assert [step.split(". ")[0] for step in steps] == ["1", "2", "3", "4", "5", "6", "7", "8"]
    assert "1,797 real images of handwritten digits" in out
    assert f"all {1797 * 65:,} values are the same" in out
    assert "the losses of all steps are the same" in out
    assert "loaded back: same features, same values" in out
    assert err == ""
    assert min(png_size(tmp_path / "out" / "demo.png")) > 300
    assert datasets.Dataset.from_parquet(
        str(tmp_path / "out" / "train.parquet"), cache_dir=str(tmp_path / "cache")
    ).features["labels"].names[:2] == ["zero", "one"]


def test_the_digits_are_written_as_people_do(tmp_path: Path) -> None:
    assert write_digits(str(tmp_path / "digits.h5")) == 1797
    with h5py.File(tmp_path / "digits.h5") as file:
        assert (file["images"].shape, file["images"].dtype) == ((1797, 8, 8), np.uint8)
        assert (file["images"].chunks, file["images"].compression) == ((64, 8, 8), "gzip")
        assert file["labels"][:3].tolist() == [0, 1, 2]
        assert file["class_names"].asstr()[:].tolist()[-1] == "nine"
        assert "source" in file.attrs


@pytest.mark.parametrize(("column", "row"), [("images", 700), ("labels", 1796)])
def test_one_corrupted_cached_value_fails_the_demo_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], column: str, row: int
) -> None:
    convert = demo.convert

    def convert_and_corrupt(file: str, cache_dir: str, options: Any) -> dict[str, Any]:
        """Change one byte of the Arrow file on the disk, in the record batch that holds the row."""
        (cache,) = convert(file, cache_dir, options)["train"].cache_files
        first = 0
        for batch in pa.ipc.open_stream(cache["filename"]):
            if first <= row < first + len(batch):
                stored = batch[column].buffers()[-1].to_pybytes()
                place = row - first
                size = 64 if column == "images" else 8
            first += len(batch)
        content = bytearray(Path(cache["filename"]).read_bytes())
        content[content.index(stored) + place * size] ^= 1
        Path(cache["filename"]).write_bytes(content)
        return {"train": datasets.Dataset.from_file(cache["filename"])}

    monkeypatch.setattr(demo, "convert", convert_and_corrupt)
    assert cli.main(["demo", "-o", str(tmp_path / "out")]) == 1
    out = capsys.readouterr().out
    assert "NOT the same" in out
    assert f"column {column!r}, row {row}: cached: " in out
    assert "Train" not in out


def test_a_file_of_ones_own_goes_the_same_way(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    generator = np.random.default_rng(0)
    with h5py.File(tmp_path / "own.h5", "w") as file:
        file["x"] = generator.integers(0, 255, (30, 9, 9, 3), dtype=np.uint8)
        file["y"] = np.arange(30, dtype=np.int16) % 3
    assert cli.main(["demo", str(tmp_path / "own.h5"), "-o", str(tmp_path / "out")]) == 0
    assert "the losses of all steps are the same" in capsys.readouterr().out
    assert (tmp_path / "out" / "demo.png").exists()


def test_splits_are_compared_and_saved_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with h5py.File(tmp_path / "own.h5", "w") as file:
        file["train/x"], file["test/x"] = np.zeros(6), np.zeros(2)
    assert cli.main(["demo", str(tmp_path / "own.h5"), "-o", str(tmp_path / "out")]) == 0
    out = capsys.readouterr().out
    assert "split 'train': all 6 values" in out
    assert "split 'test': all 2 values" in out
    assert (tmp_path / "out" / "test.parquet").exists()


def test_what_a_file_lacks_is_skipped_aloud(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with h5py.File(tmp_path / "own.h5", "w") as file:
        file["words"] = np.array(["a", "b"], dtype=object).astype(h5py.string_dtype())
    assert cli.main(["demo", str(tmp_path / "own.h5"), "-o", str(tmp_path / "out")]) == 0
    out = capsys.readouterr().out
    assert "skipped: no column is obviously a label" in out
    assert "skipped: no column looks like images" in out
    assert not (tmp_path / "out" / "demo.png").exists()


def test_a_value_that_cannot_be_converted_is_the_packages_own_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with h5py.File(tmp_path / "own.h5", "w") as file:
        file["words"] = np.array([b"good"] * 100 + [b"\xff\xfe"])
    assert cli.main(["demo", str(tmp_path / "own.h5"), "-o", str(tmp_path / "out")]) == 2
    err = capsys.readouterr().err
    assert err.splitlines()[0].startswith("hf-h5: DataError: row 100 of column 'words'")
    assert "Value(" in err.splitlines()[1]


@pytest.mark.parametrize(("package", "named"), [("sklearn.datasets", "scikit-learn"), ("torch", "torch")])
def test_a_missing_package_is_named_with_the_line_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, named: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingPackageError, match=named) as raised:
        demo.run_demo(None, str(tmp_path / "out"), {})
    assert raised.value.hint == 'pip install "hf-h5[demo]"'


def test_a_missing_matplotlib_is_named_with_the_line_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingPackageError, match="matplotlib"):
        draw_picture(str(tmp_path / "x.png"), "title", None, {"one": [1.0, 0.5]})


@pytest.mark.parametrize(
    ("features", "task"),
    [
        ({"x": datasets.Array2D((8, 8), "uint8"), "y": datasets.Value("int64")}, Task("x", "y", 64)),
        ({"a": datasets.Value("float32"), "kind": datasets.ClassLabel(names=["p", "q"])}, Task("a", "kind", 1)),
        (
            {"s": datasets.Value("float32"), "x": datasets.Array2D((4, 4), "f4"), "set_y": datasets.Value("uint8")},
            Task("x", "set_y", 16),
        ),
        ({"x": datasets.Value("float32"), "y": datasets.Value("float32")}, "no column is obviously a label"),
        ({"x": datasets.Value("string"), "labels": datasets.Value("int8")}, "no column holds numbers"),
        ({"x": datasets.Value("float32"), "y": datasets.Value("int8"), "label": datasets.Value("int8")}, "several"),
        ({"x": datasets.Array2D((None, 4), "float32"), "y": datasets.Value("int8")}, "no column holds numbers"),
    ],
)
def test_the_task_is_the_obvious_one_or_none(features: dict[str, Any], task: Task | str) -> None:
    found = find_task(features)
    assert task in found if isinstance(task, str) else found == task


def test_labels_that_are_no_class_numbers_are_said_so() -> None:
    rows = datasets.Dataset.from_dict({"x": [[1.0, 2.0]] * 20, "y": [-1, 0] * 10}).with_format("torch")
    assert "which are no class numbers" in str(train_classifier(rows, Task("x", "y", 2)))


def test_labels_that_number_the_rows_are_said_so() -> None:
    rows = datasets.Dataset.from_dict({"x": [[1.0, 2.0]] * 20, "y": list(range(20))}).with_format("torch")
    assert "which are no classes" in str(train_classifier(rows, Task("x", "y", 2)))


def test_training_repeats_itself() -> None:
    rows = datasets.Dataset.from_dict({"x": np.eye(30).tolist(), "y": [0, 1, 2] * 10}).with_format("torch")
    assert train_classifier(rows, Task("x", "y", 30)) == train_classifier(rows, Task("x", "y", 30))
    assert train_classifier(rows, Task("x", "y", 30)) != train_classifier(rows, Task("x", "y", 30), seed=1)


@pytest.mark.parametrize(
    ("feature", "is_image"),
    [
        (datasets.Array2D((8, 8), "uint8"), True),
        (datasets.Array3D((64, 48, 3), "uint8"), True),
        (datasets.Array3D((3, 64, 48), "float32"), True),
        (datasets.Array2D((33, 33), "float32"), False),
        (datasets.Array2D((7, 8), "uint8"), False),
        (datasets.Array3D((64, 48, 5), "uint8"), False),
        (datasets.Array4D((2, 64, 48, 3), "uint8"), False),
        (datasets.Array2D((None, 8), "uint8"), False),
        (datasets.Value("uint8"), False),
    ],
)
def test_images_are_told_from_other_arrays(feature: Any, is_image: bool) -> None:
    assert find_images({"other": datasets.Value("string"), "column": feature}) == ("column" if is_image else None)


@pytest.mark.parametrize(
    ("shape", "dtype", "shown"),
    [
        ((8, 9), np.uint8, (8, 9)),
        ((8, 9, 1), np.uint8, (8, 9)),
        ((8, 9, 3), np.uint8, (8, 9, 3)),
        ((3, 8, 9), np.float32, (8, 9, 3)),
        ((1, 8, 9), np.float32, (8, 9)),
    ],
)
def test_any_layout_of_channels_becomes_a_picture(shape: Any, dtype: Any, shown: Any) -> None:
    values = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    image = to_image(values)
    assert image.shape == shown
    assert image.min() >= 0
    assert image.max() <= 1


def test_one_value_everywhere_is_a_picture_too() -> None:
    assert to_image(np.full((8, 8), 7)).tolist() == np.zeros((8, 8)).tolist()


@pytest.mark.parametrize("with_images", [True, False])
@pytest.mark.parametrize("losses", [{}, {"one": [2.0, 1.0], "two": [2.0, 1.0]}])
def test_the_picture_may_lack_either_half(tmp_path: Path, with_images: bool, losses: dict[str, list[float]]) -> None:
    samples = Samples("x", {"one": [np.eye(8)] * 7, "two": [np.eye(8)] * 7}, ["caption"] * 7)
    file = tmp_path / "x.png"
    if with_images or losses:
        draw_picture(str(file), "title", samples if with_images else None, losses)
        assert min(png_size(file)) > 300


@pytest.mark.parametrize("name", ["cats_test.h5", "d4rl_trajectories.hdf5", "code_posneg.h5", "car_racing_episodes.h5"])
def test_real_files_go_the_whole_way(
    realh5: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["demo", str(realh5 / name), "-o", str(tmp_path)]) == 0
    assert "both modes hold the same values" in capsys.readouterr().out
