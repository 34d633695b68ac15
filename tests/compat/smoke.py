"""What must work with every version of datasets, without torch; `make compat` runs it on several of them."""

from __future__ import annotations

import inspect
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import h5py
import numpy as np
import pytest
from datasets import builder as datasets_builder

import hf_h5
from hf_h5 import registry
from hf_h5.arrow_rows.opening import open_dataset_rows
from tests.written import write_h5

N_ROWS = 200
ROOT = Path(__file__).resolve().parents[2]


def contents() -> dict[str, Any]:
    random = np.random.default_rng(0)
    return {
        "images": random.integers(0, 256, (N_ROWS, 4, 5, 3), np.uint8),
        "vectors": random.random((N_ROWS, 7)).astype(">f4"),
        "labels": np.arange(N_ROWS),
        "half": np.linspace(0, 1, N_ROWS).astype("f2"),
        "flags": np.arange(N_ROWS) % 2 == 0,
        "text": np.array([f"row {number} é" for number in range(N_ROWS)], object),
        "group/deep": random.random((N_ROWS, 2, 2)),
    }


@pytest.fixture
def file(tmp_path: Path) -> str:
    return str(write_h5(tmp_path / "rows.h5", contents(), chunks=None))


@pytest.fixture
def ragged(tmp_path: Path) -> str:
    points = np.dtype([("x", "f4"), ("name", h5py.string_dtype())])
    with h5py.File(tmp_path / "ragged.h5", "w") as handle:
        lists = handle.create_dataset("lists", (3,), h5py.vlen_dtype(np.dtype("i4")))
        names = handle.create_dataset("names", (3, 2), h5py.string_dtype())
        handle["points"] = np.array([(1, "a"), (2, "b"), (3, "c")], points)
        for row in range(3):
            lists[row] = np.arange(row)
            names[row] = [f"{row}a", f"{row}b"]
    return str(tmp_path / "ragged.h5")


def check_rows(rows: Any) -> None:
    expected = contents()
    assert len(rows) == N_ROWS
    for name, values in expected.items():
        got = np.array([row[name] for row in rows])
        np.testing.assert_array_equal(got, values.tolist() if values.dtype == object else values, name)


def run_apart(tmp_path: Path, code: str, *arguments: str) -> str:
    """Run a script in a process of its own, outside the repository; return what it prints."""
    script = tmp_path / "script.py"
    script.write_text(code)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=110)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_a_file_loads_by_the_name_of_the_builder(file: str) -> None:
    loaded = datasets.load_dataset("hf_h5", data_files=file, split="train")
    assert loaded.features["images"] == datasets.Array3D((4, 5, 3), "uint8")
    assert loaded.features["group/deep"] == datasets.Array2D((2, 2), "float64")
    assert loaded.features["half"] == datasets.Value("float16")
    check_rows(loaded)
    numpy_rows = loaded.with_format("numpy")
    np.testing.assert_array_equal(numpy_rows[3:9]["images"], contents()["images"][3:9])


def test_hf_h5_load_dataset_gives_the_same(file: str) -> None:
    assert hf_h5.load_dataset(file, split="train")[:] == datasets.load_dataset("hf_h5", data_files=file)["train"][:]
    assert hf_h5.load_dataset(file, split="train[10:20]")["labels"][:] == list(range(10, 20))


def test_a_stream_gives_the_rows_in_order(file: str) -> None:
    check_rows(list(datasets.load_dataset("hf_h5", data_files=file, split="train", streaming=True)))


def test_a_stream_is_resumed_by_its_state(file: str) -> None:
    stream = datasets.load_dataset("hf_h5", data_files=file, split="train", streaming=True, columns=["labels"])
    rows = iter(stream)
    head = [next(rows)["labels"] for _ in range(30)]
    state = stream.state_dict()
    other = datasets.load_dataset("hf_h5", data_files=file, split="train", streaming=True, columns=["labels"])
    other.load_state_dict(state)
    assert head + [row["labels"] for row in other] == list(range(N_ROWS))


CONVERT = """
import sys
import datasets, multiprocess
import hf_h5

if __name__ == "__main__":
    multiprocess.set_start_method(sys.argv[1])
    loaded = datasets.load_dataset("hf_h5", data_files=sys.argv[2], split="train", num_proc=2, cache_dir=sys.argv[3])
    print(loaded["labels"][:] == list(range(len(loaded))), len(loaded.cache_files))
"""


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_two_processes_convert_one_file(tmp_path: Path, file: str, method: str) -> None:
    cache = str(tmp_path / "cache")
    assert run_apart(tmp_path, CONVERT, method, file, cache).split() == ["True", "2"]
    check_rows(datasets.load_dataset("hf_h5", data_files=file, split="train", cache_dir=cache))


def test_the_cache_is_used_again_by_another_process(tmp_path: Path, file: str) -> None:
    cache = str(tmp_path / "cache")
    first = datasets.load_dataset("hf_h5", data_files=file, split="train", cache_dir=cache)
    written = {each["filename"]: os.stat(each["filename"]).st_mtime_ns for each in first.cache_files}
    code = (
        "import sys, datasets, hf_h5\n"
        "loaded = datasets.load_dataset('hf_h5', data_files=sys.argv[1], split='train', cache_dir=sys.argv[2], "
        "threads=4)\n"
        "print(*[each['filename'] for each in loaded.cache_files], sep='\\n')\n"
    )
    assert run_apart(tmp_path, code, file, cache).split() == list(written)
    assert {name: os.stat(name).st_mtime_ns for name in written} == written


def test_lists_are_what_this_version_calls_them(ragged: str) -> None:
    loaded = datasets.load_dataset("hf_h5", data_files=ragged, split="train")
    kind = datasets.List if hasattr(datasets, "List") else datasets.Sequence
    assert loaded.features["lists"] == kind(datasets.Value("int32"))
    assert loaded.features["names"] == kind(datasets.Value("string"), length=2)
    assert loaded["lists"][:] == [[], [0], [0, 1]]
    assert loaded["names"][:] == [["0a", "0b"], ["1a", "1b"], ["2a", "2b"]]
    nested = datasets.load_dataset("hf_h5", data_files=ragged, split="train", nested=True)
    assert nested["points"][:] == [{"x": 1.0, "name": "a"}, {"x": 2.0, "name": "b"}, {"x": 3.0, "name": "c"}]


def test_arrays_as_lists_are_what_this_version_calls_them(file: str) -> None:
    loaded = datasets.load_dataset("hf_h5", data_files=file, split="train", arrays="list")
    kind = datasets.List if hasattr(datasets, "List") else datasets.Sequence
    assert loaded.features["group/deep"] == kind(kind(datasets.Value("float64"), length=2), length=2)
    check_rows(loaded)


@pytest.mark.parametrize("arrays", ["array", "list"])
def test_the_arrow_reader_reads_what_this_version_makes(file: str, arrays: str) -> None:
    loaded = datasets.load_dataset("hf_h5", data_files=file, split="train", arrays=arrays)
    opened = open_dataset_rows(loaded.shuffle(seed=1).with_format("numpy"))
    found = opened.reader.read(opened.rows[[5, 3, 5]])
    expected = [loaded.shuffle(seed=1)[row] for row in (5, 3, 5)]
    for name in contents():
        assert [row.tolist() if hasattr(row, "tolist") else row.as_py() for row in found[name]] == [
            row[name] for row in expected
        ], name
    assert opened.format is not None
    assert opened.format.kind == "numpy"


@pytest.mark.filterwarnings("ignore::hf_h5.errors.H5Warning")
def test_load_maps_and_converts(file: str, tmp_path: Path) -> None:
    check_rows(hf_h5.load(file, "mapped"))
    check_rows(hf_h5.load(file, "cached", cache_dir=tmp_path / "cache"))
    check_rows(hf_h5.load(file, cache_dir=tmp_path / "cache"))


def test_lists_of_structs_stay_lists(tmp_path: Path) -> None:
    kind = np.dtype([("x", "i4"), ("y", "f8")])
    with h5py.File(tmp_path / "a.h5", "w") as handle:
        rows = handle.create_dataset("hits", (2,), h5py.vlen_dtype(kind))
        rows[0] = np.array([(1, 2.0), (3, 4.0)], kind)
    loaded = datasets.load_dataset("hf_h5", data_files=str(tmp_path / "a.h5"), split="train")
    assert loaded["hits"][0] == [{"x": 1, "y": 2.0}, {"x": 3, "y": 4.0}]
    assert loaded["hits"][1] == []


def test_keys_are_what_this_version_takes() -> None:
    expected = getattr(datasets_builder, "Key", str)
    assert isinstance(registry.make_key(1, 2), expected)
    assert registry.make_key(1, 2) != registry.make_key(2, 1)


OPEN = """
import pickle, sys
with open(sys.argv[1], "rb") as stream:
    made = pickle.load(stream)
"""


def pickled_builder(file: str, cache: str) -> tuple[Any, str]:
    builder = datasets.load_dataset_builder("hf_h5", data_files=file, cache_dir=cache)
    return builder, "made.download_and_prepare()\nprint(made.as_dataset('train')['labels'][:])\n"


def pickled_stream(file: str, cache: str) -> tuple[Any, str]:
    stream = datasets.load_dataset("hf_h5", data_files=file, split="train", streaming=True)
    return stream, "print([row['labels'] for row in made])\n"


def pickled_dataset(file: str, cache: str) -> tuple[Any, str]:
    loaded = datasets.load_dataset("hf_h5", data_files=file, split="train", cache_dir=cache)
    return loaded, "print(made['labels'][:])\n"


@pytest.mark.parametrize("make", [pickled_builder, pickled_stream, pickled_dataset], ids=lambda each: each.__name__)
def test_a_pickle_opens_where_the_package_was_never_imported(
    tmp_path: Path, file: str, make: Callable[[str, str], tuple[Any, str]]
) -> None:
    made, use = make(file, str(tmp_path / "cache"))
    (tmp_path / "made.pickle").write_bytes(pickle.dumps(made))
    assert run_apart(tmp_path, OPEN + use, "made.pickle").strip() == str(list(range(N_ROWS)))


def test_features_cast_and_select(file: str) -> None:
    features = datasets.Features({"labels": datasets.Value("int32"), "half": datasets.Value("float32")})
    loaded = datasets.load_dataset("hf_h5", data_files=file, split="train", features=features)
    assert loaded.features == features
    assert loaded["labels"][:] == list(range(N_ROWS))


def test_pictures_are_made_of_pixels(file: str) -> None:
    features = datasets.Features({"images": datasets.Image()})
    loaded = datasets.load_dataset("hf_h5", data_files=file, split="train", features=features)
    np.testing.assert_array_equal(np.asarray(loaded[5]["images"]), contents()["images"][5])


def test_splits_in_a_file_and_by_file(tmp_path: Path) -> None:
    inside = write_h5(tmp_path / "both.h5", {"train/x": np.arange(5), "test/x": np.arange(3)})
    loaded = datasets.load_dataset("hf_h5", data_files=str(inside))
    assert {split: part.num_rows for split, part in loaded.items()} == {"train": 5, "test": 3}
    files = {"train": str(write_h5(tmp_path / "a.h5", {"x": np.arange(4)}))}
    files["test"] = str(write_h5(tmp_path / "b.h5", {"x": np.arange(2)}))
    loaded = datasets.load_dataset("hf_h5", data_files=files)
    assert {split: part.num_rows for split, part in loaded.items()} == {"train": 4, "test": 2}


def test_no_rows_are_a_dataset_of_no_rows(tmp_path: Path) -> None:
    file = write_h5(tmp_path / "none.h5", {"x": np.zeros((0, 3)), "y": np.zeros(0)})
    loaded = datasets.load_dataset("hf_h5", data_files=str(file), split="train", cache_dir=str(tmp_path / "cache"))
    assert (loaded.num_rows, loaded.column_names) == (0, ["x", "y"])


def test_episodes_of_several_lengths_load(tmp_path: Path) -> None:
    steps = {f"data/demo_{number}/x": np.full((number + 1, 2), number, "f4") for number in range(3)}
    file = write_h5(tmp_path / "demos.h5", steps)
    loaded = datasets.load_dataset("hf_h5", data_files=str(file), split="train")
    assert [len(row["x"]) for row in loaded] == [1, 2, 3]
    assert loaded.features["x"] == datasets.Array2D((None, 2), "float32")


def test_the_dataset_goes_to_parquet_and_back(tmp_path: Path, file: str) -> None:
    loaded = datasets.load_dataset("hf_h5", data_files=file, split="train")
    loaded.to_parquet(str(tmp_path / "rows.parquet"))
    back = datasets.load_dataset("parquet", data_files=str(tmp_path / "rows.parquet"), split="train")
    assert back.features == loaded.features
    check_rows(back)


def test_a_failure_names_file_and_way_out_and_leaves_no_cache(tmp_path: Path) -> None:
    texts = np.array([b"fine"] * 99 + [b"\xff\xfe"], "S4")
    file = write_h5(tmp_path / "bad.h5", {"text": texts})
    cache = tmp_path / "cache"
    with pytest.raises(datasets.exceptions.DatasetGenerationError) as caught:
        datasets.load_dataset("hf_h5", data_files=str(file), cache_dir=str(cache))
    assert "row 99" in str(caught.value.__cause__)
    assert [each for each in cache.rglob("*") if each.is_file() and each.suffix == ".arrow"] == []


def test_describe_works_without_torch(file: str) -> None:
    assert hf_h5.describe(file).table.num_rows == N_ROWS
    with hf_h5.open_table(file) as reader:
        np.testing.assert_array_equal(reader.read([3, 1])["labels"], [3, 1])


def test_a_loading_script_is_run_where_datasets_still_does(tmp_path: Path, file: str) -> None:
    script = tmp_path / "rows.py"
    script.write_text("import hf_h5\n\n\nclass Rows(hf_h5.H5Builder):\n    OPTIONS = {'columns': ['labels']}\n")
    by_us = hf_h5.load_dataset(script, data_files=file, split="train")
    assert by_us.column_names == ["labels"]
    trusted = "trust_remote_code" in inspect.signature(datasets.load_dataset).parameters
    outcome = datasets_way(str(script), file) if trusted else by_us.column_names
    assert outcome == ["labels"]


def datasets_way(script: str, file: str) -> Any:
    return datasets.load_dataset(script, data_files=file, split="train", trust_remote_code=True).column_names
