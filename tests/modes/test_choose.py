"""Which mode is chosen, fact by fact."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from hf_h5.modes.choose import Facts, choose_mode

GB = 10**9
PACKED = Facts(
    arrow_bytes=10 * GB,
    mapped_bytes=0,
    unmapped="image: its rows are not one block of the file",
    free_bytes=100 * GB,
    row_s=0.004,
    bytes_per_s=2e8,
)


def test_what_can_be_mapped_is_mapped_whatever_else_holds() -> None:
    for facts in (PACKED, replace(PACKED, free_bytes=0), replace(PACKED, is_cached=True)):
        assert choose_mode(replace(facts, unmapped=None)).mode == "mapped"


@pytest.mark.parametrize(
    ("changes", "mode", "reason"),
    [
        ({}, "cached", r"256 random rows take about 1 s out of the files; .* takes about 50 s and 10\.0 GB, once"),
        ({"is_cached": True}, "cached", "converted before"),
        ({"is_cached": True, "free_bytes": 0}, "cached", "converted before"),
        ({"row_s": 1e-5}, "direct", "256 random rows take about 3 ms"),
        ({"free_bytes": 11 * GB}, "direct", r"take 10\.0 GB, and 11\.0 GB are free"),
        ({"free_bytes": 13 * GB}, "cached", "once"),
        ({"bytes_per_s": 1e6}, "direct", r"a conversion would take about 2\.8 h"),
        ({"mapped_bytes": 9 * GB}, "mapped", "the rest goes to the cache .image: its rows"),
        ({"mapped_bytes": 9 * GB, "free_bytes": 0}, "direct", "are free"),
        ({"mapped_bytes": 4 * GB}, "cached", "once"),
        ({"fits_memory": True}, "cached", "once"),
        (
            {"fits_memory": True, "arrow_bytes": GB},
            "direct",
            "all rows are decoded within 5 s, and then kept in memory",
        ),
        # A batch decodes no more than there is.
        ({"arrow_bytes": 4_000_000}, "direct", "256 random rows take about 20 ms"),
    ],
)
def test_each_fact_counts(changes: dict[str, object], mode: str, reason: str) -> None:
    choice = choose_mode(replace(PACKED, **changes))  # type: ignore[arg-type]
    assert choice.mode == mode
    assert re.search(reason, choice.reason)


def test_nothing_is_divided_by_nothing() -> None:
    assert choose_mode(replace(PACKED, bytes_per_s=0.0)).mode == "direct"
    assert choose_mode(Facts(0, 0, "x: it is asked for as another type", 0)).mode == "direct"
