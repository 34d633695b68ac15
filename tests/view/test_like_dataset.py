"""Do the same to a view and to the cached dataset: the same rows come out, in the same format."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path
from typing import Any

import datasets
import h5py
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import hf_h5
from hf_h5.errors import ColumnError, FileChangedError, OptionError, RowError
from tests.exact import assert_exact
from tests.view.modes import N_ROWS, both_modes, write_pets

Modes = tuple[datasets.Dataset, hf_h5.H5TorchView]
Change = Callable[[Any], Any]


@pytest.fixture(scope="module")
def modes(tmp_path_factory: pytest.TempPathFactory) -> Modes:
    folder = tmp_path_factory.mktemp("pets")
    return both_modes(write_pets(folder / "pets.h5"), folder / "cache")


# Dataset.sort calls pyarrow in a way that is deprecated from pyarrow 25 on.
pytestmark = pytest.mark.filterwarnings("ignore:Specifying null_placement:FutureWarning")


def assert_same(cached: Any, view: Any) -> None:
    assert view.column_names == cached.column_names
    assert view.features == cached.features
    assert len(view) == len(cached)
    assert view.format == cached.format
    assert_exact(view[:], cached[:])


CHANGES: dict[str, Change] = {
    "shuffle": lambda rows: rows.shuffle(seed=3),
    "shuffle by a generator": lambda rows: rows.shuffle(generator=np.random.default_rng(8)),
    "shuffle with arguments of a cache": lambda rows: rows.shuffle(seed=1, keep_in_memory=True, writer_batch_size=10),
    "split": lambda rows: rows.train_test_split(seed=1)["train"],
    "split by fraction": lambda rows: rows.train_test_split(test_size=0.3, train_size=0.5, seed=1)["test"],
    "split by count": lambda rows: rows.train_test_split(train_size=5, seed=1)["test"],
    "split in order": lambda rows: rows.train_test_split(4, shuffle=False)["test"],
    "split by label": lambda rows: rows.train_test_split(0.5, stratify_by_column="species", seed=7)["test"],
    "shard": lambda rows: rows.shard(5, 2),
    "scattered shard": lambda rows: rows.shard(5, 2, contiguous=False),
    "take": lambda rows: rows.take(9),
    "skip": lambda rows: rows.skip(30),
    "skip all": lambda rows: rows.skip(99),
    "repeat": lambda rows: rows.select([4, 2]).repeat(3),
    "repeat never": lambda rows: rows.repeat(0),
    "select": lambda rows: rows.select([3, 3, 0, 36]),
    "select a range": lambda rows: rows.select(range(4, 20, 3)),
    "select of an iterator": lambda rows: rows.select(iter([5, 4])),
    "select none": lambda rows: rows.select([]),
    "sort": lambda rows: rows.sort("weights"),
    "sort backwards": lambda rows: rows.sort("names", reverse=True),
    "sort with nulls first": lambda rows: rows.sort("names", null_placement="first"),
    "sort by two": lambda rows: rows.sort(["names", "weights"], reverse=[True, False]),
    "filter": lambda rows: rows.filter(lambda row: row["weights"] > 0),
    "filter by columns": lambda rows: rows.filter(
        lambda kind, name: kind == 1 and name != "pet 3", input_columns=["species", "names"]
    ),
    "filter batches": lambda rows: rows.filter(lambda batch: batch["row"] % 3 == 0, batched=True, batch_size=10),
    "filter by number": lambda rows: rows.filter(lambda row, number: number % 5 == 2, with_indices=True),
    "filter with arguments": lambda rows: rows.filter(
        lambda kind, wanted: kind == wanted, input_columns="species", fn_kwargs={"wanted": 0}
    ),
    "filter none": lambda rows: rows.filter(lambda row: False),
    "select columns": lambda rows: rows.select_columns(["weights", "images"]),
    "remove columns": lambda rows: rows.remove_columns("images"),
    "rename a column": lambda rows: rows.rename_column("names", "called"),
    "swap names": lambda rows: rows.rename_columns({"row": "weights", "weights": "row"}),
    "numpy": lambda rows: rows.with_format("numpy"),
    "objects": lambda rows: rows.with_format(None),
    "types as stored": lambda rows: rows.with_format("torch", dtype=None),
    "some columns": lambda rows: rows.with_format("torch", columns=["images", "row"], output_all_columns=True),
    "format of another": lambda rows: rows.with_format(**rows.with_format("numpy", columns=["row"]).format),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_one_change_gives_the_rows_of_the_dataset(modes: Modes, name: str) -> None:
    assert_same(*map(CHANGES[name], modes))


NEEDING_NAMES = {
    name
    for name in CHANGES
    if "column" in name or "names" in name or name.startswith(("sort", "filter", "split by label", "format"))
}


@given(names=st.lists(st.sampled_from(sorted(CHANGES.keys() - NEEDING_NAMES)), max_size=5), data=st.data())
def test_changes_of_changes_give_the_rows_of_the_dataset(modes: Modes, names: list[str], data: st.DataObject) -> None:
    cached, view = modes
    for name in names:
        if not len(cached):
            break  # datasets gives no rows whichever are asked for
        try:
            cached = CHANGES[name](cached)
        except (ValueError, IndexError):
            return  # of too few rows datasets makes no shard or split; a view may make an empty one
        view = CHANGES[name](view)
    assert_same(cached, view)


def test_without_a_seed_numpys_global_one_counts_as_in_datasets(modes: Modes) -> None:
    cached, view = modes
    np.random.seed(11)  # noqa: NPY002  # the state that datasets uses
    wanted = [cached.shuffle()["row"][:].tolist() for _ in range(2)]
    np.random.seed(11)  # noqa: NPY002
    assert [view.shuffle()["row"][:].tolist() for _ in range(2)] == wanted


@pytest.mark.parametrize("kind", ["torch", "numpy", None])
def test_rows_one_by_one_are_those_of_the_dataset(modes: Modes, kind: str | None) -> None:
    cached, view = (rows.with_format(kind) for rows in modes)
    assert_exact(list(view), list(cached))
    assert_exact([view[number] for number in (0, -1)], [cached[number] for number in (0, -1)])
    assert_exact(list(view.iter(10, drop_last_batch=True)), list(cached.iter(10, drop_last_batch=True)))


@pytest.mark.parametrize("kind", ["torch", "numpy", None, "arrow", "pandas"])
@pytest.mark.parametrize("name", ["images", "names"])
def test_a_column_is_that_of_the_dataset(modes: Modes, kind: str | None, name: str) -> None:
    cached, view = (rows.with_format(kind)[name] for rows in modes)
    assert len(view) == len(cached) == N_ROWS
    if kind in ("arrow", "pandas"):
        assert type(view) is type(cached)
        assert_exact(list(view), list(cached)) if kind == "pandas" else assert_exact(
            view.to_pylist(), cached.to_pylist()
        )
        return
    for key in (slice(2, 7), [4, 4, 1], 3, -1):
        assert_exact(view[key], cached[key])
    assert_exact(list(view), list(cached))


def test_set_format_changes_the_view_itself_and_formatted_as_changes_it_back(modes: Modes) -> None:
    view = modes[1].select([0])
    with view.formatted_as("numpy"):
        assert isinstance(view[0]["images"], np.ndarray)
    assert isinstance(view[0]["images"], torch.Tensor)
    view.set_format("numpy", columns=["row"])
    assert list(view[0]) == ["row"]
    view.reset_format()
    assert view[0]["row"] == 0
    assert isinstance(modes[1][0]["images"], torch.Tensor)


def test_a_transform_gets_the_columns_of_the_format_and_rows_are_batches_of_one(modes: Modes) -> None:
    seen = []

    def double(batch: dict[str, Any]) -> dict[str, Any]:
        seen.append({name: type(values) for name, values in batch.items()})
        return {"twice": batch["row"] * 2}

    view = modes[1].with_transform(double, columns=["row"], output_all_columns=True)
    assert view[[3, 4]]["twice"].tolist() == [6, 8]
    assert view[5]["twice"] == 10
    assert view[5]["names"] == "pet 5"
    assert seen == [{"row": torch.Tensor}] * 3
    assert view.format["type"] == "custom"


@pytest.mark.parametrize("kind", ["torch", "numpy", None])
def test_to_dataset_holds_the_rows_in_the_format_of_the_view(modes: Modes, tmp_path: Path, kind: str | None) -> None:
    view = modes[1].with_format(kind).shuffle(seed=2).select_columns(["names", "images"]).rename_column("names", "n")
    cached = view.to_dataset(cache_dir=tmp_path)
    assert isinstance(cached, datasets.Dataset)
    assert_same(cached, view)
    assert len(cached.cache_files) == 1
    assert view.to_dataset(cache_dir=tmp_path).cache_files == cached.cache_files
    assert_same(view.to_dataset(keep_in_memory=True), view)


def test_to_dataset_refuses_what_a_function_makes(modes: Modes) -> None:
    with pytest.raises(OptionError, match="before with_transform"):
        modes[1].with_transform(lambda batch: batch).to_dataset()


def test_of_a_cached_file_that_failed_nothing_is_left(tmp_path: Path) -> None:
    file = write_pets(tmp_path / "pets.h5")
    with hf_h5.H5TorchView(file) as view:
        os.utime(file, ns=(1, 1))
        with pytest.raises(FileChangedError):
            view.to_dataset(cache_dir=tmp_path / "cache")
    assert {each.name for each in (tmp_path / "cache").rglob("rows*")} <= {"rows.arrow.lock"}


def test_to_iterable_dataset_is_shared_out_and_resumes(modes: Modes) -> None:
    from datasets.distributed import split_dataset_by_node

    view = modes[1]
    stream = view.to_iterable_dataset(num_shards=4)
    assert isinstance(stream, datasets.IterableDataset)
    assert_exact(list(stream), list(view))
    rows = [[row["row"].item() for row in split_dataset_by_node(stream, rank, 2)] for rank in range(2)]
    assert sorted(row for shard in rows for row in shard) == list(range(N_ROWS))
    assert [row["row"] for row in stream.with_format(None).map(lambda row: {"row": row["row"] + 1})] == list(
        range(1, N_ROWS + 1)
    )
    going = iter(stream)
    first = [next(going)["row"].item() for _ in range(13)]
    state = stream.state_dict()
    again = view.to_iterable_dataset(num_shards=4)
    again.load_state_dict(state)
    assert first + [row["row"].item() for row in again] == list(range(N_ROWS))


def test_unique_and_what_else_to_dataset_has(modes: Modes) -> None:
    cached, view = modes
    assert view.unique("names") == cached.unique("names")
    with pytest.raises(AttributeError, match=r"view\.to_dataset\(\)\.map"):
        view.map(lambda row: row)
    with pytest.raises(AttributeError, match="no attribute 'banana'"):
        view.banana  # noqa: B018


def test_repr_says_what_and_where(modes: Modes) -> None:
    text = repr(modes[1])
    assert all(part in text for part in ("num_rows: 37", "'images'", "pets.h5", "chunks 4x3x2, gzip", "size: "))
    assert "pets.h5" in modes[1]._repr_html_()
    assert "images" in modes[1].info.description


def test_views_of_views_share_the_source_and_survive_pickling(modes: Modes) -> None:
    view = modes[1].shuffle(seed=0).rename_column("row", "number").with_format("numpy").take(5)
    assert view._source is modes[1]._source
    assert_exact(pickle.loads(pickle.dumps(view))[:], view[:])


@pytest.mark.parametrize(
    ("use", "kind"),
    [
        (lambda view: view.select([99]), RowError),
        (lambda view: view.sort("weihgts"), ColumnError),
        (lambda view: view.remove_columns(["x"]), ColumnError),
        (lambda view: view.rename_column("row", "names"), ValueError),
        (lambda view: view.rename_column("row", ""), ValueError),
        (lambda view: view.train_test_split(test_size=99), ValueError),
        (lambda view: view.train_test_split(stratify_by_column="row"), ValueError),
        (lambda view: view.shard(3, 3), ValueError),
        (lambda view: view.take(-1), ValueError),
        (lambda view: view.shuffle(1, np.random.default_rng()), ValueError),
        (lambda view: view.shuffle(sed=1), TypeError),
        (lambda view: view.to_iterable_dataset(99), ValueError),
        (lambda view: view.with_format("torch", dtype=None).to_iterable_dataset(), NotImplementedError),
    ],
)
def test_wrong_arguments_are_errors(modes: Modes, use: Change, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        use(modes[1])


@pytest.mark.parametrize(("size", "n_bytes"), [("1kB", 1000), ("2 MiB", 2 << 20), (7, 7)])
def test_cache_bytes_may_have_a_unit(modes: Modes, tmp_path: Path, size: Any, n_bytes: int) -> None:
    with hf_h5.H5TorchView(write_pets(tmp_path / "a.h5"), cache_bytes=size) as view:
        assert view.cache_info().max_bytes == n_bytes


@pytest.mark.parametrize("size", ["much", "-1", -1, True, "3 iB"])
def test_cache_bytes_that_are_no_size_are_an_error(tmp_path: Path, size: Any) -> None:
    with pytest.raises(OptionError, match="cache_bytes"):
        hf_h5.H5TorchView(write_pets(tmp_path / "a.h5"), cache_bytes=size)


def test_complex_columns_come_in_every_format(tmp_path: Path) -> None:
    values = np.array([[1 + 2j, complex(np.inf, -0.0)], [complex(np.nan, 1), 0]], "c8")
    with h5py.File(tmp_path / "a.h5", "w") as handle:
        handle["z"] = values
        handle["x"] = [1, 2]
    with hf_h5.H5TorchView(tmp_path / "a.h5", complex=True) as view:
        assert view.column_names == ["x", "z"]
        assert_exact(view[:]["z"], torch.from_numpy(values))
        assert_exact(view[1]["z"], torch.from_numpy(values[1]))
        assert_exact(view.with_format("torch", dtype=torch.float64)[0]["z"], torch.from_numpy(values[0]))
        assert_exact(view.with_format("numpy")[:]["z"], values)
        assert str(view.with_format(None)[:]["z"]) == str(values.tolist())
        assert view.to_dataset(keep_in_memory=True).with_format(None)[0]["z"] == {
            "real": [1.0, np.inf],
            "imag": [2.0, -0.0],
        }


def test_rows_of_a_dataset_need_no_cache_of_chunks() -> None:
    with hf_h5.H5TorchView.from_dataset(datasets.Dataset.from_dict({"x": [1, 2]})) as view:
        assert view[1]["x"] == 2
        assert astuple(view.cache_info()) == (0, 0, 0, 0, 0)
