"""Look at a file, measure what this machine does with it, and say what follows: ``diagnose``."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import datasets

from ...describe.opening import check_filters, expand_files
from ...describe.options import make_options
from ...describe.schema import Table
from ...describe.urls import is_url
from ...errors import H5Error, H5Warning, LayoutError, MissingFileError, NotHDF5Error, OptionError, closest_names
from ...isolate.choose import resolve, scans_apart
from ...modes.load import choose_for
from ...read.pool import default_threads
from ...read.reader import TableReader
from .examine import examine_table, widest_group
from .facts import Diagnosis
from .findings import find_all, of_error
from .machine import measure_machine
from .predict import predict
from .verdict import choose_mode, of_choice

__all__ = ["diagnose"]


def diagnose(files: Any, *, split: str | None = None, **options: Any) -> Diagnosis:
    """Say what makes files slow or unsafe, what that costs on this machine, and which mode to take.

    Headers and some megabytes of rows are read; nothing is converted.

    Parameters
    ----------
    files
        A path, a pattern or a list of them.
    split
        Which split; the one with the most rows if None.
    **options
        See the reference page of the options.

    Raises
    ------
    MissingFileError, NotHDF5Error
        If there is nothing to look at. What else is wrong with a file is a finding.
    """
    chosen = make_options(**options)
    names = expand_files(files)
    if scans_apart(names, chosen):
        raise OptionError(
            "the doctor looks into a file in this process, and not with isolate=True", hint="hf-h5 describe --isolate"
        )
    try:
        start_s = time.perf_counter()
        resolved = resolve(names, chosen)
        opening_s = time.perf_counter() - start_s
        name, table = _split_of(resolved.splits, split, names[0])
        for part in table.parts[:1]:
            check_filters(part.file, part.columns.values())
        with TableReader(table, chosen, cache_bytes=0) as reader, warnings.catch_warnings():
            warnings.simplefilter("ignore", H5Warning)
            facts = examine_table(table, name, resolved.schema, reader, _open_view(names, name, options))
        random = of_choice(choose_for(names, chosen, options, resolved=resolved), names[0])
    except (MissingFileError, NotHDF5Error, OptionError):
        raise
    except H5Error as error:
        return Diagnosis(names[0], None, None, {}, (of_error(error.problem, error.hint, error.path),), None)
    if not is_url(names[0]):
        facts = replace(facts, widest=widest_group(names[0]), opening_s=opening_s)
    machine = measure_machine(chosen.threads or default_threads())
    predicted = predict(facts, machine)
    findings = find_all(facts, machine)
    return Diagnosis(names[0], facts, machine, predicted, tuple(findings), choose_mode(facts, predicted), random)


def _open_view(names: list[str], split: str, options: Mapping[str, Any]) -> Any:
    """A view as users have it; None without torch."""
    if not datasets.config.TORCH_AVAILABLE:
        return None
    from ...view import H5TorchView

    flat = {name: value for name, value in options.items() if name != "nested"}
    return H5TorchView(names, split=split, cache_bytes=0, **flat).with_format("torch", dtype=None)


def _split_of(splits: Mapping[str, Table], name: str | None, file: str) -> tuple[str, Table]:
    chosen = max(splits, key=lambda each: splits[each].num_rows) if name is None else name
    if chosen not in splits:
        raise OptionError(f"there is no split {chosen!r}", file=file, hint=closest_names(chosen, splits))
    if not splits[chosen].num_rows:
        raise LayoutError("the table has no rows", file=file, hint="check that whoever wrote the file had finished")
    return chosen, splits[chosen]
