"""What is done with one mutant: each front door reads all of it, and the values are compared with h5py's."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import datasets
import h5py

import hf_h5
from hf_h5.describe.schema import Table
from hf_h5.errors import H5Error
from hf_h5.tools.compare import Difference, compare_values

from .seeds import SECRET

__all__ = ["STEPS", "Outcome", "read_by_h5py", "try_all"]

Outcome = str
STEPS = ("describe", "view", "builder", "stream", "values")
# A door may give the rows of any table; a mutant that declares 10**12 of them is looked at up to here.
_MOST_ROWS = 2000


def try_all(file: Path, cache: Path, steps: Sequence[str] = STEPS, **options: Any) -> Iterator[tuple[str, Outcome]]:
    """Go through the steps and say what came of each: ``ok``, ``refused``, ``leak``, ``differs`` or ``raises``."""
    warnings.simplefilter("ignore")
    datasets.disable_progress_bars()
    found: dict[str, Any] = {}
    doors: dict[str, Callable[[], Any]] = {
        "describe": lambda: str(hf_h5.describe(file, **options)),
        "view": lambda: _view(file, options),
        "builder": lambda: _first_rows(found.setdefault("cached", _converted(file, cache, options))),
        "stream": lambda: _streamed(file, cache, options),
        "values": lambda: _compared(file, found["cached"]),
    }
    for step in steps:
        # To compare, h5py reads in this process.
        if step != "values" or ("cached" in found and not options.get("isolate")):
            yield step, _outcome(doors[step])


def _outcome(go: Callable[[], Any]) -> Outcome:
    try:
        result = go()
    except MemoryError:
        return "memory"
    except Exception as error:  # noqa: BLE001 - whatever comes out of a door is a finding
        own = _own(error)
        return "refused" if own is not None else f"raises: {type(error).__name__}: {str(error)[:200]}"
    if isinstance(result, Difference):
        return f"differs: {result}"
    if isinstance(result, _UnreadByLibrary):
        return f"h5py: {result}"
    return "leak" if SECRET.decode() in repr(result) else "ok"


def _own(error: BaseException | None) -> BaseException | None:
    while error is not None and not isinstance(error, H5Error):
        if isinstance(error, MemoryError):
            raise error
        error = error.__cause__ or error.__context__
    return error


def _view(file: Path, options: dict[str, Any]) -> Any:
    with hf_h5.H5TorchView(file, splits=False, **options).with_format(None) as view:
        return view[: min(len(view), _MOST_ROWS)]


def _load(file: Path, cache: Path, **kwargs: Any) -> Any:
    return hf_h5.load_dataset(str(file), split="train", splits=False, cache_dir=str(cache), **kwargs)


def _converted(file: Path, cache: Path, options: dict[str, Any]) -> Any:
    return _load(file, cache, **options).with_format(None)


def _first_rows(cached: Any) -> Any:
    try:
        return cached[:_MOST_ROWS]
    except AttributeError:
        # datasets cannot make lists of arrays of which some rows have no value.
        return cached.with_format("arrow")[:_MOST_ROWS]


def _streamed(file: Path, cache: Path, options: dict[str, Any]) -> Any:
    return list(_load(file, cache, streaming=True, **options).take(_MOST_ROWS))


def _compared(file: Path, cached: Any) -> Any:
    """Both modes against h5py, value by value; where they differ that is the result."""
    with hf_h5.H5TorchView(file, splits=False) as view:
        table = view._table
        try:
            return compare_values(cached, view, table).difference
        except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
            if isinstance(error, H5Error):
                raise
            if _h5py_reads(file, table):
                raise  # then the error is ours
            return _UnreadByLibrary(error)


class _UnreadByLibrary(Exception):
    """What h5py itself says of values that both modes could read."""


def _h5py_reads(file: Path, table: Table) -> bool:
    """Whether h5py reads the datasets of all plain columns."""
    try:
        with h5py.File(file) as handle:
            for part in table.parts:
                for column in part.columns.values():
                    if column.take in ("rows", "whole"):
                        handle[part.path_of(column)][()]
    except (OSError, RuntimeError, KeyError, TypeError, ValueError):
        return False
    return True


def read_by_h5py(file: Path) -> None:
    """Open and read whatever h5py finds: where this ends the process, the library does, whoever asks it."""
    with h5py.File(file) as handle:
        names: list[str] = []
        handle.visit(names.append)
        for name in names:
            try:
                item = handle[name]
                list(item.attrs.items())
                if isinstance(item, h5py.Dataset):
                    item[()]
            except (OSError, RuntimeError, KeyError, TypeError, ValueError, MemoryError):
                continue
