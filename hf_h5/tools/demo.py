"""``hf-h5 demo``: the whole path on one file, by the public names that a user has."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import datasets
import numpy as np

import hf_h5

from ..describe.wording import bytes_text, count_text
from ..errors import H5Error, MissingPackageError, OptionError
from .compare import compare_values, first_unequal_row
from .console import Console, Narrator
from .digits import write_digits
from .picture import Samples, draw_picture, find_images, to_image
from .training import Task, Trained, find_task, start_torch, train_classifier

__all__ = ["convert", "run_demo"]

CACHE = "hf-h5-demo-cache"
_DIGITS = {"columns": ["images", "labels"], "class_labels": {"labels": "/class_names"}}
_MAX_TRAINING_ROWS = 2000
_SAMPLES = 10
_CACHED, _DIRECT = "cached Dataset", "H5TorchView"


@dataclass(frozen=True)
class _Modes:
    """One split in both modes, and where its columns lie."""

    name: str
    cached: Any
    view: Any
    table: Any


def run_demo(file: str | None, folder: str, options: Mapping[str, Any], console: Console | None = None) -> int:
    """Convert, open in place, compare, train, save and draw, saying what is done.

    Parameters
    ----------
    file
        An HDF5 file; None for the images of handwritten digits, which are written first.
    folder
        Where everything is written.
    options
        Options of the package, for both modes.
    console
        Says nothing on the way if it is quiet or prints JSON.

    Returns
    -------
    int
        0, or 1 if two values that should be the same are not.
    """
    _need_torch()
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise OptionError("this is a file, and a folder is needed", file=folder, hint="-o FOLDER; it is made")
    console = console or Console()
    narrator = Narrator(quiet=console.quiet or console.json)
    if file is None:
        os.makedirs(folder, exist_ok=True)
        file = os.path.join(folder, "digits.h5")
        options = _DIGITS | dict(options)
        with narrator.step("Write an HDF5 file, as people do"):
            count = write_digits(file)
            narrator.done(f"{file}: {count_text(count, 'real image')} of handwritten digits, chunked and gzipped")
    bars_were_on = not datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        is_same = _run(narrator, file, folder, options)
    finally:
        if bars_were_on:
            datasets.enable_progress_bars()
    if is_same:
        text = (
            f"\nDone in {narrator.total_s():.1f} s: both modes hold the same values. Everything is in {folder}{os.sep}"
        )
    else:
        text = "\nStopped: the modes do NOT hold the same values"
    console.result(text, {"file": file, "folder": folder, "same": is_same}, brief="")
    return 0 if is_same else 1


def _need_torch() -> None:
    try:
        import torch  # noqa: F401  only whether it is there
    except ImportError as error:
        raise MissingPackageError(
            "the demo trains with torch, which is not installed", hint='pip install "hf-h5[demo]"'
        ) from error


def _run(narrator: Narrator, file: str, folder: str, options: Mapping[str, Any]) -> bool:
    """Whether everything that should be the same is."""
    with narrator.step(f"Look into it: hf-h5 describe {file}"):
        text = str(hf_h5.describe(file, **_for_describe(options)))
        narrator.done("described from the headers; no rows were read")
        narrator.quote(text)
    os.makedirs(folder, exist_ok=True)
    # What an earlier run converted would make this one's times meaningless.
    shutil.rmtree(os.path.join(folder, CACHE), ignore_errors=True)
    with narrator.step("Cached mode: convert it to a datasets.Dataset"):
        narrator.code(f'import hf_h5\nload_dataset("hf_h5", data_files={file!r}{_arguments(options)})')
        cached = convert(file, os.path.join(folder, CACHE), options)
        for name, rows in cached.items():
            narrator.done(f"split {name!r}: {count_text(len(rows), 'row')}, {bytes_text(_arrow_bytes(rows))} of Arrow")
    with narrator.step("Direct mode: open it in place as a torch view"):
        split = f", split={next(iter(cached))!r}" if len(cached) > 1 else ""
        narrator.code(f"hf_h5.H5TorchView({file!r}{split}{_arguments(options)})")
        modes = [_open(file, name, rows, options) for name, rows in cached.items()]
        narrator.done(f"{count_text(sum(len(each.view) for each in modes), 'row')}; nothing was copied")
    try:
        with narrator.step("Compare every value: cached, direct and h5py"):
            same = [_compare(narrator, each) for each in modes]
            if not all(same):
                return False
        first = modes[0]
        with narrator.step("Train the same small classifier from each"):
            losses = _train(narrator, first)
            if losses is None:
                return False
        with narrator.step("Save the converted set as Parquet and load it back"):
            same = [_save(narrator, each, folder) for each in modes]
            if not all(same):
                return False
        with narrator.step("Draw a picture"):
            _draw(narrator, first, losses, os.path.join(folder, "demo.png"), os.path.basename(file))
    finally:
        for each in modes:
            each.view.close()
    return True


def _for_describe(options: Mapping[str, Any]) -> dict[str, Any]:
    """The whole file is shown, whatever is chosen from it later."""
    return {name: value for name, value in options.items() if name not in ("columns", "table", "class_labels")}


def _arguments(options: Mapping[str, Any]) -> str:
    return "".join(f", {name}={value!r}" for name, value in options.items())


def convert(file: str, cache_dir: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a file to one ``datasets.Dataset`` per split.

    Raises
    ------
    H5Error
        What is wrong with the file; ``datasets`` wraps it in an error of its own.
    """
    try:
        return dict(datasets.load_dataset("hf_h5", data_files=file, cache_dir=cache_dir, **options))
    except datasets.exceptions.DatasetsError as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, H5Error):
            cause = cause.__cause__
        if cause is None:
            raise
        raise cause from error


def _arrow_bytes(rows: Any) -> int:
    return sum(os.path.getsize(each["filename"]) for each in rows.cache_files)


def _open(file: str, split: str, cached: Any, options: Mapping[str, Any]) -> _Modes:
    view = hf_h5.H5TorchView(file, split=split, **options)
    with hf_h5.open_table(file, split=split, **options) as reader:
        return _Modes(split, cached, view, reader.schema)


def _compare(narrator: Narrator, modes: _Modes) -> bool:
    found = compare_values(modes.cached, modes.view, modes.table)
    if found.difference is not None:
        narrator.done(f"split {modes.name!r}: NOT the same")
        narrator.quote(f"first difference in {modes.table.files[0]}: {found.difference}")
        return False
    narrator.done(f"split {modes.name!r}: all {found.n_values:,} values are the same, bit for bit")
    for name, why in list(found.without_h5py.items())[:5]:
        narrator.quote(f"         ({name}: the two modes only, because {why})")
    return True


def _train(narrator: Narrator, modes: _Modes) -> dict[str, tuple[float, ...]] | None:
    """Losses of each mode; empty where there is nothing to learn, None if they differ."""
    task = find_task(modes.cached.features)
    if isinstance(task, Task) and len(modes.cached) < 10:
        task = f"{count_text(len(modes.cached), 'row')} are too few"
    if isinstance(task, str):
        narrator.done(f"skipped: {task}")
        return {}
    rows = range(min(len(modes.cached), _MAX_TRAINING_ROWS))
    columns = [task.inputs, task.labels]
    narrator.code(
        "DataLoader(dataset.with_format('torch'), batch_size=64, shuffle=True)\n"
        "DataLoader(view, batch_size=64, shuffle=True, collate_fn=hf_h5.collate)"
    )
    sides = {
        _CACHED: (modes.cached.select_columns(columns).select(rows).with_format("torch"), None),
        _DIRECT: (modes.view.select_columns(columns).select(rows), hf_h5.collate),
    }
    start_torch()
    narrator.done("torch has started")
    trained: dict[str, Trained] = {}
    for mode, (side, collate) in sides.items():
        result = train_classifier(side, task, collate=collate)
        if isinstance(result, str):
            narrator.done(f"skipped: {result}")
            return {}
        trained[mode] = result
        narrator.done(
            f"{mode + ':':<15} {count_text(len(result.losses), 'step')}, loss {result.losses[0]:.4f} -> "
            f"{result.losses[-1]:.4f}, {result.accuracy:.1%} of held-out rows right"
        )
    if trained[_CACHED].losses != trained[_DIRECT].losses:
        narrator.done("NOT the same losses")
        return None
    narrator.done("the losses of all steps are the same")
    return {mode: result.losses for mode, result in trained.items()}


def _save(narrator: Narrator, modes: _Modes, folder: str) -> bool:
    """Write Parquet, load it back, and compare."""
    file = os.path.join(folder, f"{modes.name}.parquet")
    size = modes.cached.to_parquet(file) and os.path.getsize(file)
    narrator.done(f"{file}: {bytes_text(size)}")
    cache_dir = os.path.join(folder, CACHE)
    back = datasets.load_dataset("parquet", data_files=file, split="train", cache_dir=cache_dir)
    if back.features != modes.cached.features or len(back) != len(modes.cached):
        narrator.done(f"NOT the same after Parquet: {back.features}")
        return False
    for start in range(0, len(back), 1024):
        batches = [rows.with_format("arrow")[start : start + 1024] for rows in (modes.cached, back)]
        for name in batches[0].column_names:
            row = first_unequal_row(*(batch[name] for batch in batches))
            if row is not None:
                narrator.done(f"NOT the same after Parquet: column {name!r}, row {start + row}")
                return False
    narrator.done("loaded back: same features, same values")
    return True


def _draw(narrator: Narrator, modes: _Modes, losses: Mapping[str, tuple[float, ...]], file: str, title: str) -> None:
    column = find_images(modes.cached.features)
    samples = _samples(modes, column) if column is not None and len(modes.cached) else None
    if samples is None and not losses:
        narrator.done("skipped: no column looks like images, and nothing was trained")
        return
    draw_picture(file, f"{title}: two modes, the same values", samples, losses)
    narrator.done(file)


def _samples(modes: _Modes, column: str) -> Samples:
    rows, captions = _sample_rows(modes.cached)
    sides = {_CACHED: modes.cached.with_format("numpy"), _DIRECT: modes.view.with_format("numpy")}
    images = {mode: [to_image(side[row][column]) for row in rows] for mode, side in sides.items()}
    return Samples(column, images, captions)


def _sample_rows(cached: Any) -> tuple[list[int], list[str]]:
    """One row of each class if there are labels, else rows spread evenly; with captions."""
    task = find_task(cached.features)
    if isinstance(task, str):
        count = min(_SAMPLES, len(cached))
        rows = [number * len(cached) // count for number in range(count)]
        return rows, [f"row {row}" for row in rows]
    feature = cached.features[task.labels]
    labels = np.ravel(cached.select(range(min(len(cached), _MAX_TRAINING_ROWS))).with_format("numpy")[:][task.labels])
    found = {int(label): row for row, label in reversed(list(enumerate(labels.tolist())))}
    rows = [found[label] for label in sorted(found)[:_SAMPLES]]
    rows += [row for row in range(len(labels)) if row not in rows][: _SAMPLES - len(rows)]
    return rows, [
        feature.int2str(int(labels[row])) if hasattr(feature, "int2str") else str(labels[row]) for row in rows
    ]
