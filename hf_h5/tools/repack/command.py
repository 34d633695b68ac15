"""What ``hf-h5 repack`` does, from one file to the next."""

from __future__ import annotations

import contextlib
import fnmatch
import json
import os
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import h5py
from filelock import FileLock, Timeout
from h5py import h5d, h5f, h5o, h5p

from ...describe.limits import make_limits
from ...describe.opening import open_hdf5
from ...describe.scan import scan_tree
from ...describe.tree import Tree
from ...describe.urls import is_url
from ...describe.wording import bytes_text, count_text
from ...errors import (
    ColumnError,
    DamagedFileError,
    DataError,
    H5Warning,
    MissingFileError,
    OptionError,
    closest_names,
    shown,
)
from ...read.fingerprint import Fingerprint
from ..console import Console
from . import pieces
from .elements import has_references
from .equality import count_bytes, find_difference
from .layout import Layout, Wanted
from .objects import Copied, copy_objects, lies_in_this_file
from .storage import choose_layout, make_properties, stored_layout

__all__ = ["run_repack"]

_FORMAT = 1


@dataclass(slots=True)
class _Plan:
    """Which datasets are stored anew: their old and new layouts by path."""

    wanted: Wanted
    columns: Sequence[str] | None
    layouts: dict[bytes, tuple[Layout, Layout]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def new_properties(self, path: bytes, dataset: h5d.DatasetID) -> h5p.PropDCID | None:
        """How a dataset shall be stored; None to keep it."""
        name = path.decode("utf-8", "surrogateescape").lstrip("/")
        self.asked.append(name)
        is_here = lies_in_this_file(dataset)
        if is_here and self.columns is not None and not any(_matches(name, each) for each in self.columns):
            return None
        if not is_here and has_references(dataset.get_type()):
            # In the other file they lead to other objects, or to none.
            raise DataError("its rows lie in another file, and are references into that", path=f"/{name}")
        try:
            layout = choose_layout(dataset, self.wanted)
        except (OSError, RuntimeError) as error:
            if not is_here:
                # Copied as it is stored, its rows would be looked for in the current folder.
                raise DamagedFileError(f"its rows cannot be read: {error}", path=f"/{name}") from error
            warnings.warn(f"/{name} stays as it is, since it cannot be decoded: {error}", H5Warning, stacklevel=2)
            return None
        if layout is None:
            return None
        self.layouts[path] = (stored_layout(dataset), layout)
        return make_properties(dataset, layout)


def run_repack(
    file: str,
    output: str,
    console: Console,
    *,
    wanted: Wanted,
    columns: Sequence[str] | None = None,
    allow_external: Sequence[str] = (),
    limits: Mapping[str, int] | None = None,
    overwrite: bool = False,
) -> int:
    """Write a file anew, with chunks and filters that suit, and compare it with the old one.

    Parameters
    ----------
    file, output
        An HDF5 file, and the name of the new one, which appears when all is compared.
    wanted
        What it is for.
    columns
        Names or patterns of the datasets that are stored anew; the others are kept. All unless said.
    allow_external, limits
        As everywhere in the package.
    overwrite
        Whether a file of that name may be replaced.

    Returns
    -------
    int
        0.

    Raises
    ------
    H5Error
        If the file cannot be read, or the new one may not be written.
    DataError
        If the new file does not hold the same; it is removed then.
    """
    _check_output(file, output, overwrite)
    target = Path(output)
    folder = target.with_name(f".{target.name}.repack")
    with _lock(target), open_hdf5(file) as source:
        tree = scan_tree(source, file, limits=make_limits(limits), allowed=tuple(allow_external))
        # Filters are needed to decode, and importing it registers them.
        import hdf5plugin  # noqa: F401

        _expect_sources(tree, file)
        del tree
        job = {"format": _FORMAT, "file": os.path.abspath(file), **asdict(Fingerprint.of_file(file)), **asdict(wanted)}
        _prepare(folder, {**job, "columns": columns})
        part = folder / "whole.part"
        plan = _Plan(wanted, columns)
        copied = _write(source, part, folder, plan, console)
        _copy_user_block(source, file, part)
        unread = _compare(source, part, copied, folder, console, file)
        os.replace(part, target)
        shutil.rmtree(folder)
    _report(console, file, output, plan, copied, unread)
    return 0


def _expect_sources(tree: Tree, file: str) -> None:
    """Raise if rows come from files that are not there: in the new file they would be the fill value for good."""
    for node in tree.root.walk():
        missing = next((each for each in node.missing if not each.startswith("::")), None)
        if missing is not None:
            raise MissingFileError(
                f"rows of this virtual dataset come from {missing}, which is not there; the new file would hold the "
                "fill value in their place",
                file=file,
                path=node.path,
                hint="put it back where the file looks for it",
            )


def _check_output(file: str, output: str, overwrite: bool) -> None:
    if is_url(file):
        raise OptionError("repack needs a local file", file=file, hint="download it first")
    if os.path.isdir(output):
        raise OptionError("this is a folder", file=output, hint="name the new file")
    if os.path.exists(output) and os.path.exists(file) and os.path.samefile(file, output):
        raise OptionError("a file is not repacked onto itself", file=output, hint="name another file, then move it")
    if os.path.exists(output) and not overwrite:
        raise OptionError("there is a file of that name", file=output, hint="name another, or pass --overwrite")


@contextlib.contextmanager
def _lock(target: Path) -> Iterator[None]:
    """Of two that repack into the same file, one stops."""
    target.absolute().parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(target.with_name(f".{target.name}.repack.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise OptionError("another repack writes this file", file=str(target), hint="wait until it is done") from error
    try:
        yield
    finally:
        lock.release()
        Path(lock.lock_file).unlink(missing_ok=True)


def _prepare(folder: Path, job: Mapping[str, Any]) -> None:
    """Keep the pieces that another run of the same job left, and no others."""
    note = folder / "job.json"
    with contextlib.suppress(OSError, ValueError):
        if json.loads(note.read_text(encoding="utf-8")) == json.loads(json.dumps(job)):
            return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    note.write_text(json.dumps(job), encoding="utf-8")


def _write(source: h5py.File, part: Path, folder: Path, plan: _Plan, console: Console) -> Copied:
    with _create_like(source, part) as target:
        copied = copy_objects(source, target, plan.new_properties)
        _check_columns(plan, source)
        deferred = {path: h5o.open(target.id, path) for path in copied.deferred}
        total = sum(
            dataset.get_space().get_simple_extent_npoints() * dataset.get_type().get_size()
            for dataset in deferred.values()
        )
        cut = pieces.cut_pieces(deferred)
        files = [folder / f"{number:05d}.h5" for number in range(len(cut))]
        n_there = sum(file.exists() for file in files)
        if n_there:
            console.say(f"{n_there} of {len(cut)} pieces were there already")
        with console.progress(total, "repack", unit="B") as progress:
            if len(cut) == 1 and not n_there:
                for span in cut[0]:
                    pieces.write_span(source, deferred[span.path], span, progress, offset=0)
                return copied
            for file, spans in zip(files, cut, strict=True):
                if not file.exists():
                    pieces.write_piece(file, source, spans, target, progress)
                pieces.join_piece(file, spans, target)
    return copied


def _create_like(source: h5py.File, part: Path) -> h5py.File:
    """A new file with the properties of another: user block, order of creation, widths of addresses."""
    access = h5p.create(h5p.FILE_ACCESS)
    # Large attributes need what came with 1.8; readers of today have it.
    access.set_libver_bounds(h5f.LIBVER_V18, h5f.LIBVER_LATEST)
    access.set_fclose_degree(h5f.CLOSE_STRONG)
    # What the properties of a file leave out about its root.
    properties, root = source.id.get_create_plist(), h5o.open(source.id, b"/").get_create_plist()
    properties.set_link_creation_order(root.get_link_creation_order())
    properties.set_attr_creation_order(root.get_attr_creation_order())
    created = h5f.create(os.fsencode(part), h5f.ACC_TRUNC, properties, access)
    return h5py.File(created)


def _check_columns(plan: _Plan, source: h5py.File) -> None:
    for pattern in plan.columns or ():
        if not any(_matches(name, pattern) for name in plan.asked):
            hint = closest_names(pattern, plan.asked)
            raise ColumnError(f"no dataset is called {pattern!r}", file=source.filename, hint=hint)


def _matches(name: str, pattern: str) -> bool:
    pattern = pattern.strip("/")
    return fnmatch.fnmatchcase(name, pattern) or name.startswith(pattern + "/")


def _copy_user_block(source: h5py.File, file: str, part: Path) -> None:
    """MATLAB writes what its files are into the bytes before the HDF5 part."""
    if source.userblock_size:
        with open(file, "rb") as before, open(part, "rb+") as after:
            after.write(before.read(source.userblock_size))


def _compare(
    source: h5py.File, part: Path, copied: Copied, folder: Path, console: Console, file: str
) -> tuple[str, ...]:
    """Return the names of datasets whose values could not be compared."""
    total = count_bytes(copied.paths, source)
    with h5py.File(part, "r") as written, console.progress(total, "compare", unit="B") as progress:
        difference, unread = find_difference(source, written, progress)
    if difference is not None:
        shutil.rmtree(folder)
        raise DataError(f"the new file does not hold the same, and was removed: {shown(difference)}", file=file)
    with open(part, "rb+") as stream:
        os.fsync(stream.fileno())
    return unread


def _warn(file: str, copied: Copied, unread: tuple[str, ...]) -> None:
    """Say what could not be brought over."""
    notes = {
        "{} of {} lead nowhere, and are null now": (copied.n_lost_references, "reference"),
        "{} of attributes of {} are not marked as UTF-8 any more, as h5py does not on this system; "
        "their bytes are the same": (copied.n_unmarked_names, "name"),
        "{} of {} had a reference as the fill value: rows that are added later are null": (
            copied.n_null_fills, "dataset"
        ),
    }  # fmt: skip
    for note, (count, noun) in notes.items():
        if count:
            warnings.warn(note.format(count_text(count, noun), file), H5Warning, stacklevel=3)
    if unread:
        listed = ", ".join(map(shown, unread[:5])) + (f" and {len(unread) - 5} more" if len(unread) > 5 else "")
        warnings.warn(
            f"{listed} of {file}: copied as stored and not compared, as nothing here reads their type",
            H5Warning,
            stacklevel=3,
        )


def _report(console: Console, file: str, output: str, plan: _Plan, copied: Copied, unread: tuple[str, ...]) -> None:
    _warn(file, copied, unread)
    sizes = [os.path.getsize(each) for each in (file, output)]
    same = "every value that can be read is the same" if unread else "every value is the same"
    changed = {path.decode("utf-8", "backslashreplace"): pair for path, pair in plan.layouts.items()}
    lines = [f"  {shown(path)}: {before} -> {after}" for path, (before, after) in changed.items()]
    more = [f"  and {len(lines) - 20} more"] if len(lines) > 20 else []
    lines.append("")
    summary = (
        f"{output}: {count_text(len(changed), 'dataset')} stored anew, {copied.n_kept:,} kept; "
        f"{bytes_text(sizes[0])} -> {bytes_text(sizes[1])}; {same}"
    )
    data = {
        "file": file,
        "output": output,
        "bytes": sizes,
        "not_compared": list(unread),
        "kept": copied.n_kept,
        "changed": {path: [asdict(each) for each in pair] for path, pair in changed.items()},
    }
    console.result("\n".join([*lines[:-1][:20], *more, summary]), data, brief=output)
