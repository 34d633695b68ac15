"""Signatures are found wherever they begin, as a search for each of them finds them."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from hf_h5.describe import signatures
from hf_h5.describe.signatures import find_signatures

NAMES = (b"GCOL", b"TREE", b"FRHP", b"BTHD")
pieces = st.sampled_from([*NAMES, b"GC", b"OL", b"EE", b"T", b"\0"]) | st.binary(max_size=5)


@given(parts=st.lists(pieces, max_size=40), words=st.sampled_from([1, 3, 1 << 18]))
def test_as_a_search_for_each(parts: list[bytes], words: int) -> None:
    content = b"".join(parts)
    before, signatures._WORDS_AT_ONCE = signatures._WORDS_AT_ONCE, words
    try:
        found = find_signatures(content, NAMES)
    finally:
        signatures._WORDS_AT_ONCE = before
    assert found == {name: [match.start() for match in re.finditer(name, content)] for name in NAMES}
