"""The builder: HDF5 becomes a normal dataset, in batches of bounded size, in several processes, as a stream."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import datasets
import h5py
import numpy as np
import pytest

import hf_h5
from hf_h5.errors import DataError, H5Warning, OptionError
from hf_h5.registry import make_list
from tests.exact import assert_exact
from tests.written import digits, write_digits, write_h5


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_digits(tmp_path / "digits.h5", 100)


def load(files: Any, **options: Any) -> Any:
    return datasets.load_dataset("hf_h5", data_files=files, **{"split": "train", **options})


def test_a_file_becomes_a_normal_dataset(file: Path) -> None:
    loaded = load(str(file))
    assert type(loaded) is datasets.Dataset
    assert loaded.features == datasets.Features(
        {"images": datasets.Array2D((4, 5), "uint8"), "labels": datasets.Value("int64")}
    )
    np.testing.assert_array_equal(loaded.with_format("numpy")["images"][:], digits(100)["images"])
    assert loaded["labels"][:] == list(range(100))


def test_without_a_split_every_split_comes(tmp_path: Path) -> None:
    files = {"train": str(write_digits(tmp_path / "a.h5")), "test": str(write_digits(tmp_path / "b.h5", seed=1))}
    loaded = datasets.load_dataset("hf_h5", data_files=files)
    assert {split: part["labels"][0] for split, part in loaded.items()} == {"train": 0, "test": 1000}


@pytest.mark.parametrize("batch_size", [1, 7, 64, 1000])
def test_the_size_of_a_batch_changes_no_value(file: Path, batch_size: int, tmp_path: Path) -> None:
    loaded = load(str(file), batch_size=batch_size, cache_dir=str(tmp_path / str(batch_size)))
    assert loaded["labels"][:] == list(range(100))
    np.testing.assert_array_equal(loaded.with_format("numpy")["images"][:], digits(100)["images"])


def test_batches_are_of_bounded_size(tmp_path: Path) -> None:
    # 48 MB of pixels: three batches of 16 MB, and not one.
    with h5py.File(tmp_path / "a.h5", "w") as handle:
        handle.create_dataset("x", (48, 1024, 1024), "u1", chunks=(1, 1024, 1024), compression="gzip")
    stream = load(str(tmp_path / "a.h5"), streaming=True)
    sizes = [table.num_rows for _, table in stream._ex_iterable.iter_arrow()]
    assert sum(sizes) == 48
    assert max(sizes) <= 16


def test_batches_of_strings_are_of_bounded_size_too(tmp_path: Path) -> None:
    # What such a row holds, nobody knows before it is read; 64 MB in all.
    texts = np.array([chr(97 + number % 26) * 16_384 for number in range(4096)], object)
    file = write_h5(tmp_path / "a.h5", {"text": texts}, chunks=(512,))
    stream = load(str(file), streaming=True)
    tables = [table for _, table in stream._ex_iterable.iter_arrow()]
    assert max(table.nbytes for table in tables) <= 17 << 20
    assert [text for table in tables for text in table["text"].to_pylist()] == texts.tolist()


def test_what_a_stream_gave_stays_when_the_file_changes(tmp_path: Path) -> None:
    # Contiguous numbers, which a conversion writes straight from the mapped file.
    file = write_h5(tmp_path / "a.h5", {"x": np.arange(100_000), "y": np.ones((100_000, 3))})
    tables = [table for _, table in load(str(file), streaming=True)._ex_iterable.iter_arrow()]
    content = file.read_bytes()
    with open(file, "r+b") as handle:
        handle.write(bytes(len(content)))
    assert np.concatenate([table["x"].to_numpy() for table in tables]).tolist() == list(range(100_000))


def test_batches_across_files_and_groups_are_in_order(tmp_path: Path) -> None:
    files = [
        str(write_h5(tmp_path / f"{number}.h5", {"x": np.arange(number * 1000, number * 1000 + count)}))
        for number, count in enumerate([10, 1, 999, 3])
    ]
    wanted = np.concatenate([np.arange(n * 1000, n * 1000 + count) for n, count in enumerate([10, 1, 999, 3])])
    for batch_size in (7, 1000, None):
        loaded = load(files, batch_size=batch_size, cache_dir=str(tmp_path / str(batch_size)))
        assert loaded["x"][:] == wanted.tolist()


def test_narrow_rows_lie_in_large_record_batches(tmp_path: Path) -> None:
    file = write_h5(tmp_path / "a.h5", {"x": np.arange(300_000), "y": np.arange(300_000) / 7})
    sizes = [len(chunk) for chunk in load(str(file)).data["x"].chunks]
    assert sum(sizes) == 300_000
    assert min(sizes[:-1]) >= 16_000
    few = load(str(file), cache_dir=str(tmp_path / "few"), writer_batch_size=500)
    assert max(len(chunk) for chunk in few.data["x"].chunks) == 500


@pytest.mark.parametrize("processes", [2, 3])
def test_several_processes_give_the_same_dataset(file: Path, tmp_path: Path, processes: int) -> None:
    expected = load(str(file))
    loaded = load(str(file), num_proc=processes, cache_dir=str(tmp_path / "cache"))
    assert loaded.features == expected.features
    assert loaded[:] == expected[:]


def test_a_stream_gives_the_rows_of_the_dataset_each_time(file: Path) -> None:
    expected = load(str(file))
    stream = load(str(file), streaming=True)
    assert isinstance(stream, datasets.IterableDataset)
    assert stream.features == expected.features
    for _ in range(2):
        assert_exact(list(stream), list(expected))
    assert_exact(list(stream.skip(95)), list(expected.select(range(95, 100))))
    assert_exact(list(pickle.loads(pickle.dumps(stream)).take(2)), list(expected.select([0, 1])))


def test_a_stream_may_be_read_twice_at_once(file: Path) -> None:
    stream = load(str(file), streaming=True)
    pairs = zip(stream, stream, strict=True)
    assert all(one["labels"] == other["labels"] for one, other in pairs)


@pytest.mark.parametrize("processes", [None, 2])
def test_progress_bars_count_rows_and_know_how_many_there_are(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processes: int | None
) -> None:
    bars = []

    class Noted(datasets.utils.tqdm):
        def __init__(self, *args: Any, **keywords: Any) -> None:
            bars.append(self)
            super().__init__(*args, **keywords)
            self.counted, self.counts = 0, keywords["unit"]

        def update(self, n: float | None = 1) -> bool | None:
            self.counted += n
            return super().update(n)

    monkeypatch.setattr("datasets.builder.hf_tqdm", Noted)
    load(str(file), cache_dir=str(tmp_path / "cache"), num_proc=processes)
    assert [(bar.total, bar.counted, bar.counts) for bar in bars] == [(100, 100, " examples")]


def test_many_small_files_are_a_few_shards(tmp_path: Path) -> None:
    for number in range(200):
        write_h5(tmp_path / f"{number:03}.h5", {"x": np.arange(number, number + 2)})
    stream = load(str(tmp_path / "*.h5"), streaming=True)
    assert 16 <= stream.num_shards <= 64
    expected = [number + step for number in range(200) for step in range(2)]
    assert [row["x"] for row in stream] == expected
    assert load(str(tmp_path / "*.h5"), num_proc=2, cache_dir=str(tmp_path / "cache"))["x"][:] == expected


def test_splits_inside_a_file_come_by_name(tmp_path: Path) -> None:
    file = write_h5(tmp_path / "a.h5", {"train_x": np.arange(7), "test_x": np.arange(3) + 100})
    loaded = datasets.load_dataset("hf_h5", data_files=str(file))
    assert {split: part["x"][:] for split, part in loaded.items()} == {
        "train": list(range(7)),
        "test": [100, 101, 102],
    }


def test_a_split_without_rows_loads(tmp_path: Path) -> None:
    file = write_h5(tmp_path / "a.h5", {"x": np.empty((0, 3), np.float32)})
    loaded = load(str(file))
    assert loaded.num_rows == 0
    assert loaded.features == datasets.Features({"x": datasets.Sequence(datasets.Value("float32"), 3)})


@pytest.mark.parametrize("nested", [False, True])
def test_no_rows_of_any_kind_are_a_dataset(tmp_path: Path, nested: bool) -> None:
    words = np.array([], h5py.string_dtype())
    columns = {"g/images": np.zeros((0, 4, 5), "u1"), "g/h/x": np.zeros((0, 3)), "words": words}
    file = write_h5(tmp_path / "a.h5", columns)
    with h5py.File(file, "a") as handle:
        handle.create_dataset("lists", (0,), h5py.vlen_dtype("f4"))
        handle.create_dataset("records", (0,), np.dtype([("a", "i4", (2, 2)), ("b", "f8")]))
    loaded = load(str(file), nested=nested)
    assert len(loaded) == 0
    assert loaded.features == hf_h5.H5TorchView(file, nested=nested).features
    assert set(loaded[:]) == set(loaded.column_names)


def test_features_choose_and_cast(file: Path) -> None:
    features = datasets.Features({"labels": datasets.Value("int32")})
    loaded = load(str(file), features=features)
    assert loaded.features == features
    assert loaded["labels"][:] == list(range(100))


def test_class_labels_name_the_numbers(tmp_path: Path) -> None:
    file = write_h5(tmp_path / "a.h5", {"y": np.array([2, 0, 1])})
    loaded = load(str(file), class_labels={"y": ["cat", "dog", "owl"]})
    assert loaded.features["y"].int2str(loaded["y"][:]) == ["owl", "cat", "dog"]


def write_variable(file: Path, n_rows: int, seed: int) -> str:
    """Write strings and lists, some of them empty, some never written."""
    random = np.random.default_rng(seed)
    with h5py.File(file, "w") as handle:
        for name, kind in [("floats", ">f4"), ("flags", "?"), ("codes", "u2")]:
            lists = handle.create_dataset(name, (n_rows,), h5py.vlen_dtype(np.dtype(kind)), chunks=(7,))
            for row in range(n_rows - 3):
                lists[row] = random.integers(0, 2, random.integers(0, 5)).astype(kind)
        words = handle.create_dataset("words", (n_rows,), h5py.string_dtype())
        words[: n_rows - 3] = ["é" * int(random.integers(0, 4)) for _ in range(n_rows - 3)]
        handle.create_dataset("names", data=np.array([["a", f"b{row}"] for row in range(n_rows)], object))
    return str(file)


@pytest.mark.parametrize("batch_size", [None, 11])
@pytest.mark.parametrize("n_files", [1, 3])
def test_strings_and_lists_are_those_that_the_library_reads(
    tmp_path: Path, n_files: int, batch_size: int | None
) -> None:
    files = [write_variable(tmp_path / f"{number}.h5", 50, number) for number in range(n_files)]
    ours, theirs = (
        load(files, route=route, batch_size=batch_size, cache_dir=str(tmp_path / route)) for route in ("auto", "h5py")
    )
    assert ours.features == theirs.features
    assert ours[:] == theirs[:]
    assert any(ours["words"])
    assert not all(ours["words"])


def test_a_string_that_is_no_text_is_named_by_its_row(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as handle:
        words = handle.create_dataset("words", (100,), h5py.string_dtype())
        words[:] = [b"fine"] * 77 + [b"\xff\xfe"] + [b"fine"] * 22
    with pytest.raises(datasets.exceptions.DatasetGenerationError) as caught:
        load(str(tmp_path / "a.h5"), cache_dir=str(tmp_path / "cache"))
    assert "row 77" in str(caught.value.__cause__)
    as_bytes = datasets.Features({"words": datasets.Value("binary")})
    assert load(str(tmp_path / "a.h5"), features=as_bytes)["words"][77] == b"\xff\xfe"


def test_features_cast_lists_and_strings(tmp_path: Path) -> None:
    file = write_variable(tmp_path / "a.h5", 50, 0)
    wanted = datasets.Features({"codes": make_list(datasets.Value("int64")), "words": datasets.Value("large_string")})
    cast, stored = load(file, features=wanted), load(file, columns=["codes", "words"])
    assert cast.features == wanted
    assert cast[:] == stored[:]


def test_the_dataset_goes_to_parquet_and_back(file: Path, tmp_path: Path) -> None:
    loaded = load(str(file))
    loaded.to_parquet(tmp_path / "digits.parquet")
    back = datasets.load_dataset("parquet", data_files=str(tmp_path / "digits.parquet"), split="train")
    assert back.features == loaded.features
    assert back[:] == loaded[:]


def test_what_is_not_among_the_rows_is_said_once(tmp_path: Path) -> None:
    file = write_h5(tmp_path / "a.h5", {"x": np.arange(100), "names": np.array([b"a", b"b"]), "version": 3})
    with pytest.warns(H5Warning, match="not among the rows") as caught:
        load(str(file))
    assert len(caught) == 1
    for words in ("table='/names'", "/version", str(file)):
        assert words in str(caught[0].message)


def test_the_description_tells_what_is_in_the_file(file: Path) -> None:
    builder = datasets.load_dataset_builder("hf_h5", data_files=str(file))
    builder.download_and_prepare()
    assert "images" in builder.info.description


def test_options_of_a_card_are_attributes_of_the_config() -> None:
    for name in ("columns", "table", "layout", "class_labels", "allow_external", "batch_size", "on_bad_files"):
        assert hasattr(hf_h5.H5Config, name), name


@pytest.mark.parametrize("streaming", [False, True])
def test_an_option_that_there_is_none_of_is_named_with_what_is_near(file: Path, streaming: bool) -> None:
    with pytest.raises(OptionError, match=r"'colums'.*\n.*columns"):
        load(str(file), colums=["labels"], streaming=streaming)


def test_options_of_datasets_itself_stay_what_they_are(file: Path, tmp_path: Path) -> None:
    loaded = load(str(file), cache_dir=str(tmp_path / "cache"), revision=None, token=None, version="1.2.3")
    assert str(loaded.info.version) == "1.2.3"


def test_a_folder_is_taken_by_its_split_names(tmp_path: Path) -> None:
    for seed, split in enumerate(["train", "test"]):
        (tmp_path / split).mkdir()
        write_digits(tmp_path / split / "a.h5", seed=seed)
    loaded = datasets.load_dataset("hf_h5", data_dir=str(tmp_path))
    assert {split: part["labels"][0] for split, part in loaded.items()} == {"train": 0, "test": 1000}


@pytest.mark.parametrize("wanted", ["float64", "float32"])
@pytest.mark.parametrize("stored", ["i8", "u8"])
def test_numbers_that_a_feature_would_round_are_refused(tmp_path: Path, stored: str, wanted: str) -> None:
    features = datasets.Features({"x": datasets.Value(wanted)})
    whole = write_h5(tmp_path / "a.h5", {"x": np.array([5, 6], stored)})
    assert hf_h5.H5TorchView(whole, features=features).with_format(None)["x"][:] == [5.0, 6.0]
    file = write_h5(tmp_path / "b.h5", {"x": np.array([2**53 + 1], stored)})
    with pytest.raises(datasets.exceptions.DatasetGenerationError) as caught:
        load(str(file), features=features)
    assert isinstance(caught.value.__cause__, DataError)
    assert (caught.value.__cause__.file, caught.value.__cause__.path) == (str(file), "/x")
    with hf_h5.H5TorchView(file, features=features) as view, pytest.raises(DataError, match=f"'x'.*{wanted}"):
        view[0]


@pytest.mark.parametrize("values", [np.zeros((3, 4, 4, 3)), np.arange(3)], ids=["floats", "no pixels"])
def test_what_is_no_picture_is_named_with_what_to_do(tmp_path: Path, values: Any) -> None:
    file = write_h5(tmp_path / "a.h5", {"x": values})
    features = datasets.Features({"x": datasets.Image()})
    with hf_h5.H5TorchView(file, features=features) as view, pytest.raises(DataError, match=r"no pictures.*\n.*uint8"):
        view[0]


def test_integers_may_be_decimals_if_these_hold_them(tmp_path: Path) -> None:
    file = write_h5(tmp_path / "a.h5", {"x": np.arange(3)})
    loaded = load(str(file), features=datasets.Features({"x": datasets.Value("decimal128(38,2)")}))
    assert [int(value) for value in loaded["x"][:]] == [0, 1, 2]
    narrow = datasets.Features({"x": datasets.Value("decimal128(20,2)")})
    with hf_h5.H5TorchView(file, features=narrow) as view, pytest.raises(DataError, match=r"'x'.*Precision"):
        view[0]


def test_values_of_several_files_that_do_not_fit_are_in_one_of_them(tmp_path: Path) -> None:
    files = [str(write_h5(tmp_path / f"{name}.h5", {"x": np.array([1, 300])})) for name in "ab"]
    features = datasets.Features({"x": datasets.Value("int8")})
    with hf_h5.H5TorchView(files, features=features) as view, pytest.raises(DataError, match=r"2 files.*a\.h5.*b\.h5"):
        view[3]
