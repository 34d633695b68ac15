"""Rows of sparse matrices, as lists and dense, against scipy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.sparse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hf_h5
from hf_h5.conventions import recognise
from hf_h5.conventions.found import Found
from hf_h5.conventions.sparse import sparse_columns, sparse_matrix
from hf_h5.describe.layout import Layout
from hf_h5.describe.schema import Part, Table
from hf_h5.errors import DataError
from hf_h5.read.derived import KeptValues
from tests.streaming.served import http_files

STORAGE = {
    "contiguous": {},
    "chunked": {"chunks": (7,)},
    "gzip": {"chunks": (7,), "compression": "gzip"},
    "one chunk": {"chunks": True, "compression": "lzf", "shuffle": True},
}


def sparse_file(tree, handle, options) -> Found | None:
    """A planted convention: a file that is one sparse matrix."""
    if "by_rows" not in handle.attrs:
        return None
    nodes = [tree.root.datasets[name] for name in ("data", "indices", "indptr")]
    matrix = sparse_matrix(*nodes, handle.attrs["shape"], by_rows=bool(handle.attrs["by_rows"]))
    assert not isinstance(matrix, str), matrix
    columns = {column.name: column for column in sparse_columns(matrix, "X", dense=options.dense)}
    layout = Layout()
    layout.add(Table("/", columns, (Part(tree.file, "", matrix.shape[0], columns),), "sparse"), 1)
    return Found("Sparse", layout)


@pytest.fixture(autouse=True)
def _planted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recognise, "_CONVENTIONS", (sparse_file,))


def write(file: Path, matrix: Any, **storage: Any) -> Path:
    with h5py.File(file, "w") as out:
        out.attrs["shape"], out.attrs["by_rows"] = matrix.shape, matrix.format == "csr"
        for name in ("data", "indices", "indptr"):
            values = getattr(matrix, name)
            chunked = storage if name != "indptr" and len(values) >= 7 else {}
            out.create_dataset(name, data=values, **chunked)
    return file


def make(shape: tuple[int, int], dtype: Any, density: float, seed: int = 0) -> Any:
    random = np.random.default_rng(seed)
    dense = random.integers(1, 100, shape) * (random.random(shape) < density)
    return scipy.sparse.csr_matrix(dense.astype(dtype))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 30)),
    dtype=st.sampled_from(["f4", "f8", "i4", "u2", "?", "i8"]),
    density=st.sampled_from([0.0, 0.05, 0.5, 1.0]),
    kind=st.sampled_from(["csr", "csc"]),
    storage=st.sampled_from(list(STORAGE)),
    rows=st.lists(st.integers(0, 10_000), max_size=20),
)
def test_rows_are_those_of_scipy(tmp_path: Path, shape, dtype, density, kind, storage, rows) -> None:
    matrix = make(shape, dtype, density)
    file = write(tmp_path / "x.h5", matrix.asformat(kind), **STORAGE[storage])
    numbers = [row % shape[0] for row in rows]
    expected = matrix[numbers] if numbers else matrix[:0]
    with hf_h5.open_table(file, dense=True) as table:
        found = table.read(numbers)["X"]
        assert found.dtype == matrix.dtype.newbyteorder("=")
        np.testing.assert_array_equal(found, expected.toarray())
    with hf_h5.open_table(file) as table:
        lists = table.read(numbers)
        for row, (indices, values) in enumerate(zip(lists["X/indices"], lists["X/values"], strict=True)):
            np.testing.assert_array_equal(indices, expected[row].indices)
            np.testing.assert_array_equal(values, expected[row].data)


@pytest.mark.parametrize("storage", STORAGE)
def test_all_routes_and_doors_have_the_same_rows(tmp_path: Path, storage: str) -> None:
    matrix = make((300, 50), "f4", 0.3)
    file = write(tmp_path / "x.h5", matrix, **STORAGE[storage])
    rows = np.random.default_rng(1).permutation(300)
    for route in ("direct", "h5py"):
        with hf_h5.open_table(file, dense=True, route=route) as table:
            np.testing.assert_array_equal(table.read(rows)["X"], matrix[rows].toarray())
            np.testing.assert_array_equal(table.read(slice(None))["X"], matrix.toarray())
    loaded = hf_h5.load_dataset(file, split="train", dense=True, cache_dir=str(tmp_path))
    np.testing.assert_array_equal(loaded.with_format("numpy")["X"][:], matrix.toarray())
    with hf_h5.H5TorchView(file, dense=True) as view:
        np.testing.assert_array_equal(view[rows.tolist()]["X"].numpy(), matrix[rows].toarray())
    lists = hf_h5.load_dataset(file, split="train", cache_dir=str(tmp_path))
    with hf_h5.H5TorchView(file).with_format(None) as view:
        assert view.features == lists.features
        assert view[:] == lists[:]


def test_nested_lists_stand_under_the_matrix(tmp_path: Path) -> None:
    file = write(tmp_path / "x.h5", scipy.sparse.csr_matrix([[0, 2, 3], [0, 0, 0]]))
    with hf_h5.H5TorchView(file, nested=True).with_format(None) as view:
        assert view[:]["X"] == [{"indices": [1, 2], "values": [2, 3]}, {"indices": [], "values": []}]


def test_values_at_one_place_add_up_and_places_may_be_in_any_order(tmp_path: Path) -> None:
    matrix = scipy.sparse.csr_matrix(([1.0, 2.0, 4.0, 8.0], [2, 0, 2, 1], [0, 3, 4]), shape=(2, 3))
    file = write(tmp_path / "x.h5", matrix)
    with hf_h5.open_table(file, dense=True) as table:
        np.testing.assert_array_equal(table.read([1, 0])["X"], matrix.toarray()[[1, 0]])


@pytest.mark.parametrize(
    ("name", "values", "problem"),
    [
        ("indices", [0, 9], "holds 0 to 9, and there are 3"),
        ("indices", [0, -1], "holds -1 to 0"),
        ("indptr", [0, 7, 7], "pointed to"),
        ("indptr", [2, 1, 2], "ends before it begins"),
    ],
)
@pytest.mark.parametrize("dense", [True, False])
def test_a_matrix_that_contradicts_itself_is_an_error_with_its_place(
    tmp_path: Path, name: str, values: list[int], problem: str, dense: bool
) -> None:
    file = write(tmp_path / "x.h5", scipy.sparse.csr_matrix([[5.0, 0, 0], [0, 0, 6.0]]))
    with h5py.File(file, "r+") as handle:
        handle[name][...] = values
    with hf_h5.open_table(file, dense=dense) as table, pytest.raises(DataError, match=problem) as caught:
        table.read([0, 1])
    assert "x.h5" in str(caught.value)


def test_each_chunk_is_unpacked_once_for_a_batch_and_kept(tmp_path: Path) -> None:
    matrix = make((200, 40), "f4", 0.5)
    file = write(tmp_path / "x.h5", matrix, chunks=(100,), compression="gzip")
    n_chunks = 2 * -(-matrix.nnz // 100)
    with hf_h5.open_table(file, dense=True) as table:
        rows = np.random.default_rng(0).permutation(200)
        table.read(rows)
        assert n_chunks - 2 <= table.cache_info().misses <= n_chunks
        before = table.cache_info().misses
        table.read(rows[:20])
        assert table.cache_info().misses == before


@pytest.mark.parametrize("dense", [True, False])
def test_a_shuffled_epoch_unpacks_each_chunk_about_once(tmp_path: Path, dense: bool) -> None:
    matrix = make((4000, 100), "f4", 0.5)
    file = write(tmp_path / "x.h5", matrix, chunks=(2000,), compression="gzip")
    n_chunks = 2 * -(-matrix.nnz // 2000)
    with hf_h5.H5TorchView(file, dense=dense, cache_bytes=600_000) as view:
        loader = view.loader(batch_size=64, shuffle=True, shuffle_bytes=400_000, seed=0)
        assert 100 < loader.report().window_rows < 1000
        rows = sum(len(batch["X" if dense else "X/values"]) for batch in loader)
        assert rows == 4000
        assert view.cache_info().misses < 1.5 * n_chunks


def test_what_is_kept_is_bounded_and_the_newest_stays() -> None:
    kept, made = KeptValues(), []

    def find(number: int, n_bytes: int) -> Any:
        def make() -> tuple[Any, Any]:
            made.append(number)
            return np.zeros(n_bytes // 2, np.uint8), np.zeros(n_bytes // 2, np.uint8)

        return kept.find(("file", "", str(number)), make)

    for number in range(6):
        find(number, 16 << 20)
    assert find(5, 16 << 20)[0].nbytes == 8 << 20
    assert made == [0, 1, 2, 3, 4, 5]
    find(0, 16 << 20)
    assert made == [0, 1, 2, 3, 4, 5, 0]


def test_a_table_knows_the_average_size_of_its_rows(tmp_path: Path) -> None:
    matrix = make((1000, 100), "f4", 0.2)
    file = write(tmp_path / "x.h5", matrix, chunks=(500,), compression="gzip")
    (lists,) = hf_h5.describe(file).tables.values()
    assert lists.row_bytes == pytest.approx(matrix.nnz * 8 / 1000, rel=0.02)
    (dense,) = hf_h5.describe(file, dense=True).tables.values()
    assert dense.row_bytes == 400
    assert np.diff(lists.row_groups)[0] == pytest.approx(4 * 500 / 20, rel=0.05)


@pytest.mark.parametrize("storage", ["contiguous", "chunked", "gzip"])
def test_rows_of_a_file_behind_a_url_are_fetched_by_ranges(tmp_path: Path, storage: str) -> None:
    pytest.importorskip("aiohttp")
    matrix = make((400, 60), "f4", 0.5)
    file = write(tmp_path / "x.h5", matrix, **STORAGE[storage])
    rows = [399, 3, 250, 3]
    with http_files({"x.h5": file.read_bytes()}) as (url, _), hf_h5.open_table(f"{url}/x.h5", dense=True) as table:
        np.testing.assert_array_equal(table.read(rows)["X"], matrix[rows].toarray())
