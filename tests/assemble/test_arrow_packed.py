"""Do strings and lists that lie one after the other become the arrays that pyarrow makes of single values."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_h5.assemble.arrow_packed import pack_lists, pack_texts


@given(texts=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=9), min_size=1))
def test_texts_are_those_that_were_joined(texts: list[str]) -> None:
    array = pack_texts("\0".join(texts).encode(), len(texts))
    array.validate(full=True)
    assert array.equals(pa.array(texts, pa.string()))


def test_what_is_no_text_is_refused() -> None:
    assert pack_texts(b"fine\0\xff\xfe\0fine", 3) is None
    # Each part is checked by itself: half a character in one and the other half in the next.
    assert pack_texts(b"\xc3\0\xa9", 2) is None


@pytest.mark.parametrize("dtype", ["i1", "u8", "f2", "f4", "f8", "?"])
@given(sizes=st.lists(st.integers(0, 5), min_size=1, max_size=20))
def test_lists_are_those_between_the_offsets(dtype: str, sizes: list[int]) -> None:
    items = np.arange(sum(sizes)).astype(dtype)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    array = pack_lists(items, offsets)
    array.validate(full=True)
    expected = [part.tolist() for part in np.split(items, offsets[1:-1])]
    assert array.to_pylist() == expected
    assert array.type == pa.list_(pa.from_numpy_dtype(items.dtype))


def test_more_than_arrow_counts_is_refused() -> None:
    assert pack_lists(np.empty(0, "i1"), np.array([0, 2**31])) is None
