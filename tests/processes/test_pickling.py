"""What is pickled holds no handle, thread or lock, is small, and opens where the package was never imported."""

from __future__ import annotations

import copy
import io
import multiprocessing
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import datasets
import h5py
import numpy as np
import pytest

import hf_h5
from hf_h5.errors import ClosedError
from tests.exact import assert_exact
from tests.processes.worker_code import loaded_modules, read_pickled_stream, read_pickled_view, sum_of_rows
from tests.written import digits, write_h5

N_ROWS = 5000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    rows = digits(N_ROWS)
    with h5py.File(tmp_path / "digits.h5", "w") as handle:
        handle.create_dataset("images", data=rows["images"], chunks=(50, 4, 5), compression="gzip")
        handle["labels"] = rows["labels"]
    return tmp_path / "digits.h5"


def opened_view(file: Path) -> Any:
    return hf_h5.H5TorchView(file)


def opened_reader(file: Path) -> Any:
    return hf_h5.open_table(file)


def read_some(opened: Any) -> Any:
    return opened[[3, 1, 4]] if hasattr(opened, "column_names") else opened.read([3, 1, 4])


both = pytest.mark.parametrize("open_it", [opened_view, opened_reader])


@both
@pytest.mark.parametrize("was_read", [True, False])
@pytest.mark.parametrize("duplicate", [lambda it: pickle.loads(pickle.dumps(it)), copy.deepcopy])
def test_a_duplicate_reads_the_same_after_the_first_was_closed(
    file: Path, open_it: Callable[[Path], Any], was_read: bool, duplicate: Callable[[Any], Any]
) -> None:
    with open_it(file) as first:
        expected = read_some(open_it(file))
        _ = read_some(first) if was_read else None
        second = duplicate(first)
    with second:
        assert_exact(read_some(second), expected)


@both
def test_what_is_pickled_is_small_and_does_not_grow_by_reading(file: Path, open_it: Callable[[Path], Any]) -> None:
    with open_it(file) as opened:
        before = len(pickle.dumps(opened))
        for _ in range(3):
            read_some(opened)
        after = len(pickle.dumps(opened))
    assert before < 10_000
    # An index of the chunks may come along; decoded rows may not.
    assert after < before + 10_000 < file.stat().st_size


def test_a_selection_pickles_its_rows_and_not_the_files(file: Path) -> None:
    with hf_h5.H5TorchView(file) as view:
        assert len(pickle.dumps(view.select(range(10, 4000)))) < 10_000
        assert len(pickle.dumps(view.select(list(range(0, 4000, 2))))) < 10_000 + 2000 * 8


def test_a_view_of_many_files_pickles_small(tmp_path: Path) -> None:
    files = [write_h5(tmp_path / f"{number:03}.h5", {"x": np.arange(3)}) for number in range(200)]
    with hf_h5.H5TorchView(files) as view:
        assert len(pickle.dumps(view)) < 200 * 500


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_process_opens_handles_of_its_own(file: Path) -> None:
    with hf_h5.H5TorchView(file) as view:
        expected = sum_of_rows(view, [1, 2, 3])[1]
        context = multiprocessing.get_context("fork")
        with ProcessPoolExecutor(2, mp_context=context, initializer=_keep, initargs=(view,)) as pool:
            for found in pool.map(_sum_of_kept, [[1, 2, 3]] * 6):
                assert found[0] != os.getpid()
                assert found[1] == expected
        assert sum_of_rows(view, [1, 2, 3])[1] == expected


_KEPT: list[Any] = []


def _keep(view: Any) -> None:
    _KEPT.append(view)


def _sum_of_kept(rows: list[int]) -> tuple[int, float]:
    return sum_of_rows(_KEPT[0], rows)


def test_views_and_streams_open_where_the_package_was_never_imported(file: Path) -> None:
    stream = datasets.load_dataset("hf_h5", data_files=str(file), split="train", streaming=True).take(3)
    with (
        hf_h5.H5TorchView(file) as view,
        ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool,
    ):
        pickled = pickle.dumps(view), pickle.dumps(stream)
        modules, threads = pool.submit(loaded_modules).result()
        was_imported, streamed = pool.submit(read_pickled_stream, pickled[1]).result()
        _, rows = pool.submit(read_pickled_view, pickled[0], [3, 1]).result()
    assert (modules, was_imported) == ([], False)
    assert threads <= 2
    expected = digits(N_ROWS)
    assert [row["labels"] for row in streamed] == [0, 1, 2]
    np.testing.assert_array_equal(streamed[2]["images"], expected["images"][2])
    np.testing.assert_array_equal(rows["images"], expected["images"][[3, 1]])


def test_a_pickled_builder_converts_where_the_package_was_never_imported(file: Path, tmp_path: Path) -> None:
    builder = datasets.load_dataset_builder("hf_h5", data_files=str(file), cache_dir=str(tmp_path / "cache"))
    (tmp_path / "builder.pickle").write_bytes(pickle.dumps(builder))
    code = (
        "import pickle, sys\n"
        "builder = pickle.load(open(sys.argv[1], 'rb'))\n"
        "builder.download_and_prepare()\n"
        "print(builder.as_dataset('train')['labels'][4321])"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "builder.pickle")]
    environment = {**os.environ, "PYTHONPATH": str(Path(hf_h5.__file__).parents[1])}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "4321"), done.stderr


@pytest.mark.parametrize("processes", [1, 2])
def test_several_processes_convert_one_file_each_row_once(file: Path, tmp_path: Path, processes: int) -> None:
    loaded = datasets.load_dataset(
        "hf_h5", data_files=str(file), split="train", num_proc=processes, cache_dir=str(tmp_path / "cache")
    )
    assert loaded["labels"][:] == list(range(N_ROWS))


@both
def test_a_file_handed_over_open_is_pickled_by_its_name(file: Path, open_it: Callable[[Any], Any]) -> None:
    with h5py.File(file) as handle, open_it(handle) as opened:
        expected = read_some(opened)
        pickled = pickle.dumps(opened)
    with pickle.loads(pickled) as again:
        assert_exact(read_some(again), expected)


def test_a_file_in_memory_cannot_be_pickled_and_says_so() -> None:
    with h5py.File("in memory.h5", "w", driver="core", backing_store=False) as handle:
        handle["x"] = np.arange(4)
        handle.flush()
        with hf_h5.open_table(handle) as reader:
            assert reader.read([2])["x"].tolist() == [2]
            with pytest.raises(ClosedError, match="memory"):
                pickle.dumps(reader)


@pytest.mark.parametrize("in_memory", ["core", "stream"])
def test_a_closed_file_in_memory_is_not_the_one_of_its_name_on_the_disk(tmp_path: Path, in_memory: str) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as out:
        out["x"] = np.zeros(10, int)
    if in_memory == "core":
        handle = h5py.File(path, "r+", driver="core", backing_store=False)
        handle["x"][...] = 7
    else:
        handle = h5py.File(io.BytesIO(path.read_bytes()), "r")
    view = hf_h5.H5TorchView(handle).with_format("numpy")
    assert set(view[:]["x"]) == {7 if in_memory == "core" else 0}
    with pytest.raises(ClosedError, match="in memory"):
        pickle.dumps(view)
    handle.close()
    with pytest.raises(ClosedError, match="in memory"):
        view[:]


def test_a_file_that_was_read_into_memory_as_it_is_can_be_sent(tmp_path: Path) -> None:
    path = write_h5(tmp_path / "a.h5", {"x": np.arange(5)})
    with h5py.File(path, "r", driver="core") as handle:
        view = hf_h5.H5TorchView(handle).with_format("numpy")
        again = pickle.loads(pickle.dumps(view))
    # The one that stays goes on with the file of that name.
    assert view[:]["x"].tolist() == again[:]["x"].tolist() == [0, 1, 2, 3, 4]
