"""Each front door as a function that opens files and reads every row, and what a message must not hold."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable
from typing import Any

import datasets

import hf_h5
from hf_h5.errors import H5Error

__all__ = ["DOORS", "assert_readable", "cached", "direct", "read_all", "refusal", "streamed"]


def cached(files: Any, **options: Any) -> datasets.Dataset:
    """Convert and load; ``files`` may be a path, a pattern, a list, or a mapping by split."""
    split = options.pop("split", None) or "train"
    return datasets.load_dataset("hf_h5", data_files=files, split=split, **options)


def streamed(files: Any, **options: Any) -> list[dict[str, Any]]:
    """Stream every row."""
    split = options.pop("split", None) or "train"
    return list(datasets.load_dataset("hf_h5", data_files=files, split=split, streaming=True, **options))


def direct(files: Any, **options: Any) -> dict[str, Any]:
    """Open a view and read every row."""
    with hf_h5.H5TorchView(files, **options) as view:
        found: dict[str, Any] = view[:]
        return found


def read_all(files: Any, **options: Any) -> dict[str, Any]:
    """Open a reader and read every row."""
    with hf_h5.open_table(files, **options) as reader:
        return reader.read(slice(None))


DOORS: dict[str, Callable[..., Any]] = {"cached": cached, "streamed": streamed, "direct": direct, "reader": read_all}

# What a message about a user's file never needs: reprs and sentences of Python itself.
_INTERNALS = re.compile(
    r"object (?:is not|has no|at 0x)|<class|Traceback|NoneType|unexpected keyword|cyfunction|\blambda\b"
)


def refusal(door: Callable[..., Any], files: Any, **options: Any) -> H5Error:
    """Return the package's own error, found where ``datasets`` wraps it too, after looking at its message."""
    try:
        door(files, **options)
    except Exception as error:
        found = _own(error)
        if found is None:
            raise
        printed = "".join(traceback.format_exception(error))
        assert str(found) in printed, "what a user sees printed lacks the message"
        assert_readable(found)
        return found
    raise AssertionError("nothing was refused")


def assert_readable(error: BaseException) -> None:
    """Fail if a message talks about Python instead of the file."""
    assert str(error), f"{type(error).__name__} without a message"
    assert not _INTERNALS.search(str(error)), f"speaks of Python: {error}"


def _own(error: BaseException | None) -> H5Error | None:
    while error is not None and not isinstance(error, H5Error):
        error = error.__cause__ or error.__context__
    return error
