"""Tensors of blocks equal those of the torch formatter of ``datasets``, for every dtype and argument."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from datasets.formatting import TorchFormatter
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_h5.assemble.torch import to_tensor
from tests.exact import assert_exact

DTYPES = ["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"]
KWARGS: list[dict[str, Any]] = [
    {},
    {"dtype": None},
    {"dtype": torch.float32},
    {"dtype": torch.float64},
    {"dtype": torch.float16},
    {"dtype": torch.bfloat16},
    {"dtype": torch.int64},
    {"dtype": torch.int32},
    {"dtype": torch.uint8},
    {"dtype": torch.bool},
    {"dtype": torch.complex64},
    {"device": "cpu"},
    {"dtype": None, "device": torch.device("cpu")},
    {"requires_grad": False},
    {"dtype": torch.float32, "requires_grad": True},
    {"dtype": torch.float32, "pin_memory": False},
]


def block_of(dtype: str, shape: tuple[int, ...], seed: int = 0) -> np.ndarray[Any, Any]:
    """Return any bits; floats without NaN where a cast of one would be nobody's promise."""
    random = np.random.default_rng(seed)
    if dtype == "?":
        return random.integers(0, 2, shape).astype(bool)
    if dtype[0] == "f":
        return random.normal(0, 50, shape).astype(dtype)
    return random.integers(0, 256, int(np.prod(shape)) * np.dtype(dtype).itemsize, np.uint8).view(dtype).reshape(shape)


def outcome(use: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return use()
        except (TypeError, ValueError, RuntimeError) as error:
            return type(error).__name__


@pytest.mark.parametrize("kwargs", KWARGS, ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_block_becomes_what_the_formatter_makes_of_it(dtype: str, kwargs: dict[str, Any]) -> None:
    for shape in [(5,), (3, 2), (2, 1, 3)]:
        block = block_of(dtype, shape)
        expected = outcome(lambda: TorchFormatter(**kwargs)._tensorize(block.copy()))  # noqa: B023
        found = outcome(lambda: to_tensor(block.copy(), kwargs))  # noqa: B023
        if isinstance(expected, torch.Tensor):
            assert found.requires_grad == expected.requires_grad
        assert_exact(found, expected, f"{dtype} {shape}")


@settings(max_examples=100)
@given(
    dtype=st.sampled_from(DTYPES),
    shape=st.lists(st.integers(1, 3), min_size=1, max_size=4).map(tuple),
    kwargs=st.sampled_from(KWARGS[:8]),
    change=st.sampled_from(["as it is", "every second", "reversed", "transposed", "read-only", "other bytes between"]),
    seed=st.integers(0, 99),
)
def test_blocks_that_lie_in_any_way_become_the_same_tensors(
    dtype: str, shape: tuple[int, ...], kwargs: dict[str, Any], change: str, seed: int
) -> None:
    block = laid(block_of(dtype, (2 * shape[0], *shape[1:]), seed), change)
    expected = TorchFormatter(**kwargs)._tensorize(np.array(block, order="C"))
    assert_exact(to_tensor(block, kwargs), expected)


def laid(block: np.ndarray[Any, Any], change: str) -> np.ndarray[Any, Any]:
    """Return a view of the values in another layout of memory."""
    if change == "every second":
        return block[::2]
    if change == "reversed":
        return block[::-1]
    if change == "transposed":
        return block.T
    if change == "read-only":
        block.flags.writeable = False
    if change == "other bytes between":
        packed = np.zeros(block.shape[0], [("a", "u1"), ("x", block.dtype, block.shape[1:]), ("b", "u1", (2,))])
        packed["x"] = block
        return packed["x"]
    return block


def test_one_row_of_a_packed_compound_becomes_a_tensor() -> None:
    packed = np.zeros(1, [("a", "u1"), ("x", "f4")])
    packed["x"] = 2.5
    assert_exact(to_tensor(packed["x"], {"dtype": None}), torch.tensor([2.5]))


def test_memory_is_used_where_nothing_is_cast() -> None:
    block = np.arange(6, dtype=np.uint8).reshape(2, 3)
    tensor = to_tensor(block, {"dtype": None})
    tensor[0, 0] = 77
    assert block[0, 0] == 77


def test_memory_of_others_is_never_written() -> None:
    block = np.arange(6.0, dtype=np.float32)
    block.flags.writeable = False
    to_tensor(block, {}).zero_()
    assert block.tolist() == [0, 1, 2, 3, 4, 5]
