from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from hf_h5.read.tasks import run_tasks


@pytest.fixture
def pool():
    with ThreadPoolExecutor(3) as pool:
        yield pool


def test_each_task_is_done_once(pool):
    done = []
    run_tasks(range(1000), done.append, pool, 4)
    assert sorted(done) == list(range(1000))


def test_without_a_pool_tasks_are_done_in_order():
    done = []
    run_tasks(range(10), done.append, None, 4)
    assert done == list(range(10))


def test_no_more_threads_work_than_may(pool):
    workers = set()
    run_tasks(range(20), lambda _: (workers.add(threading.get_ident()), time.sleep(0.002)), pool, 2)
    assert len(workers) == 2
    assert threading.get_ident() in workers


def test_a_busy_pool_is_not_waited_for(pool):
    release, done = threading.Event(), []
    busy = [pool.submit(release.wait) for _ in range(3)]
    run_tasks(range(10), done.append, pool, 4)
    assert done == list(range(10))
    release.set()
    assert all(each.result() for each in busy)


def test_tasks_may_run_tasks_in_the_same_pool(pool):
    done = []
    run_tasks(range(8), lambda i: run_tasks(range(8), lambda j: done.append((i, j)), pool, 4), pool, 4)
    assert len(set(done)) == 64


def test_an_error_is_raised_when_all_threads_have_stopped(pool):
    running, ended = [], []

    def work(task):
        running.append(task)
        if task == 3:
            raise KeyError(task)
        time.sleep(0.01)
        ended.append(task)

    with pytest.raises(KeyError):
        run_tasks(range(100), work, pool, 4)
    began = len(running)
    time.sleep(0.05)
    assert len(running) == began < 100
    assert sorted([*ended, 3]) == sorted(running)


def test_an_error_of_a_helping_thread_is_raised_too(pool):
    caller = threading.get_ident()

    def work(task):
        if threading.get_ident() != caller:
            raise OSError("in a helper")
        time.sleep(0.02)

    with pytest.raises(OSError, match="in a helper"):
        run_tasks(range(50), work, pool, 4)
