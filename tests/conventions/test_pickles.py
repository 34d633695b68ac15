"""Pickles are followed as far as they build plain values; nothing that they name is imported or called."""

from __future__ import annotations

import contextlib
import datetime
import pickle
import zoneinfo
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_h5.conventions.pickles import Foreign, PickleError, parse_pickle

LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


@given(VALUES, st.integers(1, pickle.HIGHEST_PROTOCOL))
def test_plain_values_are_what_unpickling_would_give(value: Any, protocol: int) -> None:
    # Before protocol 3, bytes are pickled as a call.
    assert plain(parse_pickle(pickle.dumps(value, protocol))) == plain(pickle.loads(pickle.dumps(value, protocol)))


def plain(value: Any) -> Any:
    match value:
        case Foreign(name="_codecs encode", arguments=(text, _)):
            return text.encode("latin-1")
        case Foreign(name="__builtin__ bytes", arguments=()):
            return b""
        case list() | tuple():
            return type(value)(map(plain, value))
        case dict():
            return {key: plain(inner) for key, inner in value.items()}
    return value


class Touches:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path(self.path),)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_what_a_pickle_would_call_is_named_and_not_called(tmp_path: Path, protocol: int) -> None:
    raw = pickle.dumps({"a": Touches(str(tmp_path / "touched")), "b": [1]}, protocol)
    found = parse_pickle(raw)
    assert isinstance(found["a"], Foreign)
    assert found["b"] == [1]
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_method_that_is_called_is_named_by_its_class(protocol: int) -> None:
    found = parse_pickle(pickle.dumps(zoneinfo.ZoneInfo("US/Eastern"), protocol))
    assert (found.name, found.arguments[0]) == ("zoneinfo ZoneInfo._unpickle", "US/Eastern")


def test_long_names_of_methods_are_not_made_again_and_again() -> None:
    method = b"V" + b"m" * 20_000 + b"\np0\n"
    raw = b"(c__builtin__\ngetattr\n(ca\nb\n" + method + b"tRp1\n(tR" + b"g1\n(tR" * 5_000 + b"l."
    assert all(len(each.name) < 100 for each in parse_pickle(raw))


def test_arrays_and_dates_keep_their_arguments() -> None:
    words = parse_pickle(pickle.dumps(np.array(["a", None], object), 2))
    assert words.name.endswith("multiarray _reconstruct")
    assert words.state[-1] == ["a", None]
    day = parse_pickle(pickle.dumps(datetime.date(2020, 1, 1)))
    assert (day.name, day == parse_pickle(pickle.dumps(datetime.date(2020, 1, 1)))) == ("datetime date", False)


@pytest.mark.parametrize("raw", [b"", b".", b"N", b"a.", b"(", b"t.", b"g5\n.", b"VNo\\u12\n.", b"I1", b"R.", b"b."])
def test_what_is_no_pickle_is_said_to_be_none(raw: bytes) -> None:
    with pytest.raises(PickleError):
        parse_pickle(raw)


@given(st.binary(max_size=80))
def test_any_bytes_are_a_value_or_no_pickle(raw: bytes) -> None:
    with contextlib.suppress(PickleError):
        parse_pickle(raw + b".")


@given(VALUES, st.data())
def test_a_damaged_pickle_is_a_value_or_no_pickle(value: Any, data: Any) -> None:
    raw = bytearray(pickle.dumps(value))
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(PickleError):
        parse_pickle(bytes(raw))
