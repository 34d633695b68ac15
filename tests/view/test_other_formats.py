"""Formats of packages that are optional: what the cached dataset gives in them."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .modes import both_modes, write_pets

KEYS = [3, slice(2, 6), [5, 1, 1]]
IN_JAX = """
import sys
from pathlib import Path

from tests.view.modes import both_modes, write_pets

folder = Path(sys.argv[1])
cached, view = both_modes(write_pets(folder / "pets.h5"), folder / "cache")
cached, view = cached.with_format("jax"), view.with_format("jax")
for key in (3, slice(2, 6), [5, 1, 1]):
    expected, found = cached[key], view[key]
    assert repr(found) == repr(expected)
    assert [type(value) for value in found.values()] == [type(value) for value in expected.values()]
print("the same")
"""


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_rows_in_the_format_of_polars(tmp_path: Path, key: Any) -> None:
    pytest.importorskip("polars")
    cached, view = both_modes(write_pets(tmp_path / "pets.h5"), tmp_path / "cache")
    expected, found = cached.with_format("polars")[key], view.with_format("polars")[key]
    assert found.schema == expected.schema
    assert found.equals(expected)
    view.close()


def test_rows_in_the_format_of_jax(tmp_path: Path) -> None:
    """In a process of its own: with jax imported, no other test could fork."""
    if importlib.util.find_spec("jax") is None:
        pytest.skip("jax is not installed")
    done = subprocess.run(
        [sys.executable, "-c", IN_JAX, str(tmp_path)], capture_output=True, text=True, check=False, cwd=Path.cwd()
    )
    assert done.stdout.strip() == "the same", done.stderr


@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize("kind", ["arrow", "pandas"])
def test_columns_that_are_not_formatted_are_python_objects(tmp_path: Path, kind: str, every: bool) -> None:
    for each in both_modes(write_pets(tmp_path / "pets.h5"), tmp_path / "cache"):
        first, second = each.column_names[:2]
        formatted = each.with_format(kind, columns=[first], output_all_columns=every)
        assert formatted[second] == each.with_format(None)[second][:]
        assert type(formatted[first]) is type(each.with_format(kind)[first])
