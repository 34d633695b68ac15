"""Which rows a split, a shard or a shuffle picks, by the rules of ``datasets``.

Pure; no I/O.
"""

from __future__ import annotations

from math import ceil, floor

import numpy as np
from numpy.typing import NDArray

__all__ = ["draw_generator", "shard_rows", "split_sizes"]

Numbers = NDArray[np.int64]
Size = float | int | None


def draw_generator(seed: int | None, generator: np.random.Generator | None) -> np.random.Generator:
    """The generator that ``Dataset.shuffle`` draws from.

    Without a seed it takes one from numpy's global state, so that ``numpy.random.seed`` repeats it here as there.
    """
    if generator is not None:
        if seed is not None:
            raise ValueError("both seed and generator were given: pass one of them")
        if not isinstance(generator, np.random.Generator):
            raise ValueError(f"generator={generator!r} is not a numpy.random.Generator")
        return generator
    if seed is None:
        _, numbers, position, *_ = np.random.get_state()  # noqa: NPY002  # the state that datasets uses
        seed = int(numbers[position] if position < len(numbers) else numbers[0])  # type: ignore[index, operator]
        np.random.random()  # noqa: NPY002  # one step on, as there
    return np.random.default_rng(seed)


def split_sizes(n_rows: int, test_size: Size, train_size: Size) -> tuple[int, int]:
    """Numbers of rows for training and test, as ``Dataset.train_test_split`` counts them.

    Raises
    ------
    ValueError
        If a size is neither a count below ``n_rows`` nor a fraction in (0, 1), or no row would be left to train on.

    Examples
    --------
    >>> split_sizes(10, None, None), split_sizes(10, 0.25, 5)
    ((7, 3), (5, 3))
    """
    if test_size is None and train_size is None:
        test_size = 0.25
    for name, size in (("test_size", test_size), ("train_size", train_size)):
        if size is not None and not (isinstance(size, int | float) and 0 < size < (n_rows if _is_count(size) else 1)):
            raise ValueError(f"{name}={size!r} is neither a fraction in (0, 1) nor a number of rows below {n_rows}")
    if isinstance(test_size, float) and isinstance(train_size, float) and test_size + train_size > 1:
        raise ValueError(f"test_size + train_size = {test_size + train_size} is more than all rows")
    n_test = None if test_size is None else test_size if _is_count(test_size) else ceil(test_size * n_rows)
    n_train = None if train_size is None else train_size if _is_count(train_size) else floor(train_size * n_rows)
    n_train = n_rows - int(n_test or 0) if n_train is None else n_train
    n_test = n_rows - int(n_train) if n_test is None else n_test
    if n_train + n_test > n_rows:
        raise ValueError(f"train_size and test_size ask for {n_train + n_test} rows of {n_rows}")
    if not n_train:
        raise ValueError(f"test_size={test_size!r}, train_size={train_size!r} leave none of {n_rows} rows to train on")
    return int(n_train), int(n_test)


def _is_count(size: Size) -> bool:
    return isinstance(size, int)


def shard_rows(n_rows: int, num_shards: int, index: int, *, contiguous: bool) -> range:
    """The rows of one shard, as ``Dataset.shard`` deals them.

    Examples
    --------
    >>> shard_rows(7, 3, 0, contiguous=True), shard_rows(7, 3, 0, contiguous=False)
    (range(0, 3), range(0, 7, 3))
    """
    if not 0 <= index < num_shards:
        raise ValueError(f"index={index} is not a shard of {num_shards}: it must be in [0, {num_shards - 1}]")
    if not contiguous:
        return range(index, n_rows, num_shards)
    size, more = divmod(n_rows, num_shards)
    start = size * index + min(index, more)
    return range(start, start + size + (index < more))
