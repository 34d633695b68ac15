from __future__ import annotations

import os
import pickle
import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_h5.read.cache import ChunkCache, number_dataset
from tests.threads import in_threads


def block(value: int, n_bytes: int = 10) -> np.ndarray:
    return np.full(n_bytes, value, np.uint8)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 40)), max_size=60), st.integers(0, 100))
def test_the_blocks_never_exceed_the_bound(made, max_bytes):
    cache = ChunkCache(max_bytes)
    for number, n_bytes in made:
        cache.get_or_make((0, number), lambda number=number, n_bytes=n_bytes: block(number, n_bytes))
        info = cache.info()
        assert info.n_bytes <= max_bytes
        assert info.n_bytes == sum(each.nbytes for each in cache._blocks.values())


def test_the_block_used_longest_ago_goes_first():
    cache = ChunkCache(30)
    for number in range(3):
        cache.get_or_make((0, number), lambda number=number: block(number))
    cache.get_many([(0, 0)])
    cache.get_or_make((0, 3), lambda: block(3))
    found = cache.get_many([(0, number) for number in range(4)])
    assert [None if each is None else int(each[0]) for each in found] == [0, None, 2, 3]


def test_blocks_of_several_datasets_share_the_bound_and_go_together():
    cache = ChunkCache(30)
    for dataset in range(3):
        cache.get_or_make((dataset, 0), lambda dataset=dataset: block(dataset))
    cache.drop(1)
    assert [each is not None for each in cache.get_many([(0, 0), (1, 0), (2, 0)])] == [True, False, True]
    assert cache.info().n_bytes == 20
    cache.clear()
    assert cache.info().n_bytes == 0


def test_a_block_larger_than_the_cache_is_made_and_not_kept():
    cache = ChunkCache(5)
    assert cache.get_or_make((0, 0), lambda: block(7)).tolist() == [7] * 10
    assert cache.info().n_chunks == 0


def test_a_block_is_made_once_however_many_threads_want_it():
    cache, made, found = ChunkCache(1000), [], []

    def make():
        made.append(1)
        time.sleep(0.05)
        return block(1)

    in_threads(8, lambda _: found.append(cache.get_or_make((0, 0), make)))
    assert len(made) == 1
    assert all(each is found[0] for each in found)


def test_a_block_is_made_once_even_if_it_is_too_large_to_keep():
    cache, made, start = ChunkCache(1), [], threading.Barrier(4)

    def make():
        made.append(1)
        time.sleep(0.2)
        return block(1)

    def want(_):
        start.wait()
        cache.get_or_make((0, 0), make)

    in_threads(4, want)
    assert len(made) == 1


def test_an_error_goes_to_its_caller_and_the_next_one_tries_again():
    cache, tries, results = ChunkCache(100), [], []

    def make():
        tries.append(1)
        time.sleep(0.02)
        if len(tries) == 1:
            raise OSError("not yet")
        return block(5)

    def want(_):
        try:
            results.append(int(cache.get_or_make((0, 0), make)[0]))
        except OSError as error:
            results.append(str(error))

    in_threads(4, want)
    assert sorted(map(str, results)) == ["5", "5", "5", "not yet"]
    assert len(tries) == 2


def test_blocks_are_read_only_as_all_readers_share_them():
    found = ChunkCache(100).get_or_make((0, 0), lambda: block(1))
    with pytest.raises(ValueError, match="read-only"):
        found[0] = 3


def test_threads_get_only_right_blocks_from_a_cache_that_is_too_small():
    cache, wrong = ChunkCache(60), []

    def work(seed):
        for number in np.random.default_rng(seed).integers(0, 12, 2000).tolist():
            found = cache.get_or_make((0, number), lambda number=number: block(number))
            wrong.extend([] if found[0] == number else [number])

    in_threads(4, work)
    assert not wrong
    info = cache.info()
    assert info.hits + info.misses == 8000


def test_what_is_made_while_the_dataset_is_dropped_is_not_kept():
    cache = ChunkCache(100)

    def make():
        cache.drop(0)
        return block(1)

    cache.get_or_make((0, 0), make)
    assert cache.info().n_chunks == 0


def test_a_pickled_cache_is_empty_and_of_the_same_bound():
    cache = ChunkCache(100)
    cache.get_or_make((0, 0), lambda: block(1))
    copy = pickle.loads(pickle.dumps(cache))
    assert copy.info().n_chunks == 0
    assert copy.max_bytes == 100


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_starts_with_an_empty_cache_and_free_locks():
    cache = ChunkCache(100)
    cache.get_or_make((0, 0), lambda: block(1))
    with cache._lock:
        child = os.fork()
        if child == 0:
            is_free = cache.info().n_chunks == 0 and cache.get_or_make((0, 1), lambda: block(2))[0] == 2
            os._exit(0 if is_free else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert cache.info().n_chunks == 1


def test_a_negative_bound_is_refused():
    with pytest.raises(ValueError, match="must not be negative"):
        ChunkCache(-1)


def test_datasets_get_numbers_of_their_own_from_many_threads():
    numbers = {}

    def work(seed):
        for i in range(500):
            numbers[seed, i] = number_dataset((seed, i))

    in_threads(4, work)
    assert len(set(numbers.values())) == 2000
