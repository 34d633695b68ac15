"""How fast rows are read, side by side: ``make bench`` prints the table.

One benchmark is one kind of work. Its contenders take turns in every round, so that a busy moment of the machine hits
all of them, and the best round of each counts. Before, their values are compared. Nothing fails for being slow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from . import contenders as by
from .files import N_EMBEDDINGS, N_FIELDS, N_IMAGES, N_TABLE, N_WORDS
from .turns import LIMIT, best_speeds, made_of_files

ROUNDS = 9
RANDOM_ROWS = 256


@dataclass(frozen=True)
class Work:
    """One line of the table.

    ``rival`` is the contender that ``at_least`` is a multiple of; ``of_limit`` the part of the limit's speed that is
    the least, and aimed at. ``batches`` are the rows of a round by contender, ``""`` those of the others: slow ones
    are given fewer, as speeds are compared by row.
    """

    name: str
    file: str
    readers: dict[str, Callable[[Path], by.Read]]
    batches: dict[str, list]
    rival: str = "h5py"
    at_least: float | None = None
    of_limit: tuple[float | None, float | None] = (None, None)
    limit_file: str | None = None
    options: dict = field(default_factory=dict)


def random_batches(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(3)
    return [rng.integers(0, N_IMAGES, RANDOM_ROWS) for _ in range(count)]


def sequential(name: str, at_least: float, least: float | None, aim: float, **peers: Callable) -> Work:
    readers = {"hf_h5": by.by_hf_h5, "h5py": by.by_h5py, **peers, LIMIT: by.by_bare_decoding}
    batches = {"": list(by.slices_of(N_IMAGES, 1024)), "pyfive": list(by.slices_of(1024, 1024))}
    return Work(f"images in order, {name}", name, readers, batches, "h5py", at_least, (least, aim))


PEERS = {"pyfive": by.by_pyfive, "hidefix": by.by_hidefix}
RANDOM = {"hf_h5": by.by_hf_h5, "hand-written": by.by_handwritten, LIMIT: by.by_memmap}
RANDOM_BATCHES = {"": random_batches(16), "hand-written": random_batches(2)}

WORKS = [
    sequential("gzip", 3.5, None, 0.9, **PEERS),
    sequential("lzf", 3.0, None, 0.8),
    sequential("zstd", 1.4, None, 0.8),
    sequential("lz4", 1.2, None, 0.8),
    sequential("bitshuffle", 1.0, None, 0.8),
    sequential("blosc2", 1.0, None, 0.8),
    Work("images at random, contiguous", "contiguous", RANDOM, RANDOM_BATCHES, "hand-written", 20, (0.85, 0.95), "npy"),
    Work(
        "images at random, one-row chunks",
        "one-row chunks",
        RANDOM | {"hf_h5": partial(by.by_hf_h5, reuse=False)},
        RANDOM_BATCHES,
        "hand-written",
        7.5,
        (None, 0.7),
        "npy",
    ),
    Work(
        "images at random, gzip, cached",
        "gzip, labelled",
        RANDOM,
        {"": random_batches(16), "hand-written": random_batches(1)},
        "hand-written",
        200,
        (None, None),
        "npy",
    ),
    Work(
        "embeddings in order, gzip and shuffle",
        "embeddings",
        {"hf_h5": by.by_hf_h5, "h5py": by.by_h5py, **PEERS, LIMIT: by.by_bare_decoding},
        {"": list(by.slices_of(N_EMBEDDINGS, 8192)), "pyfive": list(by.slices_of(8192, 8192))},
        of_limit=(0.6, 0.85),
    ),
    Work(
        "fields in order, gzip and shuffle",
        "fields",
        {"hf_h5": by.by_hf_h5, "h5py": by.by_h5py, LIMIT: by.by_bare_decoding},
        {"": list(by.slices_of(N_FIELDS, 16))},
    ),
    Work(
        "20 columns in order",
        "table",
        {"hf_h5": by.by_hf_h5, "h5py": by.by_h5py},
        {"": list(by.slices_of(N_TABLE, 16_384))},
    ),
    Work(
        "strings in order",
        "words",
        {"hf_h5": by.by_hf_h5, "h5py": by.by_h5py_strings},
        {"": list(by.slices_of(N_WORDS, 4096))},
        at_least=1.2,
    ),
    Work(
        "lists of floats in order",
        "lists",
        {"hf_h5": by.by_hf_h5, "h5py": by.by_h5py_lists},
        {"": list(by.slices_of(N_WORDS, 4096))},
        at_least=2.0,
    ),
    Work(
        "images in order, gzip (through h5py)",
        "gzip",
        {"hf_h5": lambda file: by.by_hf_h5(file, route="h5py"), "h5py": by.by_h5py},
        {"": list(by.slices_of(N_IMAGES, 1024))},
        at_least=1.0,
    ),
]


@pytest.mark.parametrize("work", WORKS, ids=lambda work: work.name)
def bench_read(benchmark, files, work, report):
    readers = made_of_files(work, work.readers, files)
    expect_equal_values(readers, work)
    contenders = {name: reading_of(read, work.batches.get(name, work.batches[""])) for name, read in readers.items()}
    report(work, best_speeds(benchmark, contenders, ROUNDS))


def reading_of(read: by.Read, batches: list) -> Callable[[], int]:
    n_rows = sum(rows.stop - rows.start if isinstance(rows, slice) else len(rows) for rows in batches)

    def go() -> int:
        for rows in batches:
            read(rows)
        return n_rows

    return go


def expect_equal_values(readers: dict[str, by.Read], work: Work) -> None:
    for rows in {id(each[0]): each[0] for each in work.batches.values()}.values():
        first, *others = (as_list(read(rows)) for read in readers.values())
        for other in others:
            for one, two in zip(first, other, strict=True):
                assert one.dtype == two.dtype
                assert np.array_equal(one, two)


def as_list(values) -> list[np.ndarray]:
    """Return copies: a reader may use its memory again. Lists of different lengths are joined, after their lengths."""
    if isinstance(values, list):
        return [np.array(each) for each in values]
    if values.dtype == object and isinstance(values[0], np.ndarray):
        return [np.array([len(each) for each in values]), np.concatenate(values)]
    return [np.array(values)]
