"""What is refused before anything is read, and the budgets."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from hf_h5.describe.guard import check_external_link, is_allowed
from hf_h5.describe.limits import Limits, make_limits
from hf_h5.errors import LimitError, OptionError, RefusedError
from hf_h5.resolve.describing import describe


@pytest.mark.parametrize(
    ("target", "allowed", "expected"),
    [
        ("b.h5", [], False),
        ("b.h5", ["."], True),
        ("sub/b.h5", ["."], True),
        ("sub/b.h5", ["sub"], True),
        ("b.h5", ["sub"], False),
        ("../b.h5", ["."], False),
        ("sub/../../b.h5", ["."], False),
        ("sub2/b.h5", ["sub"], False),
        ("b.h5", ["elsewhere", "."], True),
    ],
)
def test_a_target_is_allowed_where_its_real_place_lies_in_a_folder(
    tmp_path: Path, target: str, allowed: list[str], expected: bool
) -> None:
    folders = [str(tmp_path / folder) for folder in allowed]
    assert is_allowed(str(tmp_path / "a.h5"), target, folders) == expected


def test_an_absolute_target_is_checked_as_it_is(tmp_path: Path) -> None:
    assert is_allowed("anywhere/a.h5", str(tmp_path / "b.h5"), [str(tmp_path)])
    assert not is_allowed(str(tmp_path / "a.h5"), os.devnull, [str(tmp_path)])


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="there are no symbolic links")
def test_a_symbolic_link_does_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "allowed").mkdir()
    (tmp_path / "secret").mkdir()
    (tmp_path / "allowed" / "way_out").symlink_to(tmp_path / "secret")
    file = str(tmp_path / "allowed" / "a.h5")
    assert not is_allowed(file, "way_out/b.h5", [str(tmp_path / "allowed")])
    with pytest.raises(RefusedError, match=r"way_out/b\.h5"):
        check_external_link(file, "/x", "way_out/b.h5", [str(tmp_path / "allowed")])


def test_budgets_have_names_and_defaults() -> None:
    assert make_limits(None) == Limits()
    assert make_limits({"objects": 7}) == Limits(objects=7)
    assert make_limits(Limits(depth=2)).depth == 2


@pytest.mark.parametrize(
    "given", [{"object": 7}, {"objects": "7"}, {"objects": -1}, {"objects": True}, [("objects", 7)]]
)
def test_wrong_budgets_are_errors(given: object) -> None:
    with pytest.raises(OptionError, match="limits"):
        make_limits(given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("limits", "words"), [({"objects": 10}, "objects: more than 10"), ({"depth": 3}, "depth: more than 3")]
)
def test_a_file_beyond_a_budget_is_refused_with_the_way_to_raise_it(
    tmp_path: Path, limits: dict[str, int], words: str
) -> None:
    file = tmp_path / "a.h5"
    with h5py.File(file, "w") as handle:
        handle["a/b/c/d/e/x"] = [1, 2]
        for number in range(20):
            handle[f"g{number}"] = [1, 2]

    with pytest.raises(LimitError, match=words) as caught:
        describe(file, limits=limits)

    assert caught.value.file == str(file)
    assert f"limits={{'{next(iter(limits))}': N}}" in str(caught.value)
    assert isinstance(caught.value, RefusedError)
    describe(file, limits={"objects": 100, "depth": 10})


def test_a_budget_bounds_what_is_kept_as_metadata(tmp_path: Path) -> None:
    file = tmp_path / "a.h5"
    with h5py.File(file, "w") as handle:
        handle["x"] = [1, 2]
        handle["note"] = np.bytes_("n" * 5000)
        handle.attrs["long"] = np.bytes_("n" * 5000)
        handle.attrs["short"] = "n"
    schema = describe(file, limits={"metadata_bytes": 1000})
    assert schema.attrs["short"] == "n"
    assert "bytes" in schema.attrs["long"]
    assert "bytes" in schema.metadata["/note"]
