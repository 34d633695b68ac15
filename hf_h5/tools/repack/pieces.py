"""Rows of big datasets, rewritten in pieces: each a file that is whole or not there, so that a killed run continues."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from h5py import h5d, h5p
from numpy.typing import NDArray

from ...describe.corners import list_corners
from ...errors import DamagedFileError
from ..console import Progress
from .elements import open_object, read_block, write_block
from .layout import Block, cut_blocks

__all__ = ["Span", "cut_pieces", "join_piece", "write_piece", "write_span"]

PIECE_BYTES = 256 << 20
_BLOCK_BYTES = 16 << 20
# Old chunks that lie across two blocks are kept this long.
_MAX_CACHE_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class Span:
    """Half-open rows ``start`` to ``stop`` of a dataset."""

    path: bytes
    start: int
    stop: int


def cut_pieces(datasets: Mapping[bytes, h5d.DatasetID]) -> list[list[Span]]:
    """Deal the rows of all datasets to pieces of about equal bytes, at the boundaries of their new chunks.

    Parameters
    ----------
    datasets
        By path, with their new layouts.
    """
    pieces: list[list[Span]] = []
    free = 0
    for path, dataset in datasets.items():
        n_rows = dataset.shape[0] if dataset.shape else 1
        step = _chunk(dataset)[0] if dataset.shape else 1
        row_bytes = max(1, math.prod(dataset.shape[1:]) * dataset.get_type().get_size())
        start = 0
        while start < n_rows:
            if free < step * row_bytes:
                pieces.append([])
                free = max(PIECE_BYTES, step * row_bytes)
            stop = min(n_rows, start + free // row_bytes // step * step)
            pieces[-1].append(Span(path, start, stop))
            free -= (stop - start) * row_bytes
            start = stop
    return pieces


def write_piece(file: Path, source: h5py.File, spans: Iterable[Span], target: h5py.File, progress: Progress) -> None:
    """Write one piece as a file, stored as in the target."""
    part = file.with_suffix(".part")
    with h5py.File(part, "w", libver=("v108", "latest")) as piece:
        for number, span in enumerate(spans):
            like = open_object(target.id, span.path)
            tid, shape = like.get_type(), (span.stop - span.start, *like.shape[1:])
            plist = like.get_create_plist()
            if plist.get_layout() == h5d.CHUNKED:
                plist.set_chunk(tuple(map(min, plist.get_chunk(), (max(1, plist.get_chunk()[0]), *shape[1:]))))
            # Chunks of the target may be longer than this piece, which a dataset without a limit may have, too.
            space = h5py.h5s.create_simple(shape, (h5py.h5s.UNLIMITED, *shape[1:]) if _is_chunked(like) else shape)
            made = h5d.create(piece.id, str(number).encode(), tid.copy() if tid.committed() else tid, space, plist)
            write_span(source, made, span, progress, offset=span.start)
        piece.flush()
    with open(part, "rb+") as stream:
        os.fsync(stream.fileno())
    os.replace(part, file)


def join_piece(file: Path, spans: Iterable[Span], target: h5py.File) -> None:
    """Bring the rows of a piece into the target: chunks as they are stored, without unpacking them."""
    with h5py.File(file, "r") as piece:
        for number, span in enumerate(spans):
            made, dataset = open_object(piece.id, str(number).encode()), open_object(target.id, span.path)
            if not _is_chunked(made):
                for block in cut_blocks(made.shape, _chunk(made), made.get_type().get_size(), _BLOCK_BYTES):
                    write_block(dataset, _shifted(block, span.start), read_block(made, block))
                continue
            for corner in map(tuple, list_corners(made).tolist()):
                mask, stored = made.read_direct_chunk(corner)
                dataset.write_direct_chunk((corner[0] + span.start, *corner[1:]), stored, mask)


def write_span(source: h5py.File, target: h5d.DatasetID, span: Span, progress: Progress, *, offset: int) -> None:
    """Write rows; those of which the source stores nothing are left out.

    Parameters
    ----------
    offset
        The row of the source that is the first of the target.
    """
    dataset = _open_cached(source, span.path)
    item_bytes = dataset.get_type().get_size()
    if not dataset.shape:
        write_block(target, (), read_block(dataset, ()))
        return
    is_stored = _stored_rows(dataset)
    shape = (span.stop - span.start, *dataset.shape[1:])
    for block in cut_blocks(shape, _chunk(target), item_bytes, _BLOCK_BYTES):
        for rows in _stored_runs(dataset, is_stored, _shifted(block, span.start)[0], _chunk(target)[0]):
            here = (rows, *block[1:])
            write_block(target, _shifted(here, -offset), _read(source, dataset, span.path, here))
        progress.add(math.prod(part.stop - part.start for part in block) * item_bytes)


def _read(source: h5py.File, dataset: h5d.DatasetID, path: bytes, block: Block) -> NDArray[Any]:
    try:
        return read_block(dataset, block)
    except (OSError, RuntimeError) as error:
        raise DamagedFileError(
            f"rows {block[0].start:,} to {block[0].stop:,} cannot be read: {error}",
            file=source.filename,
            path=path.decode("utf-8", "surrogateescape"),
            hint="--columns names the datasets that are stored anew; the others are copied as they are",
        ) from error


def _open_cached(source: h5py.File, path: bytes) -> h5d.DatasetID:
    """Open a dataset with room for the chunks that one block of rows touches."""
    dataset = open_object(source.id, path)
    if not _is_chunked(dataset):
        return dataset
    slab = _chunk(dataset)[0] * math.prod(dataset.shape[1:]) * dataset.get_type().get_size()
    access = h5p.create(h5p.DATASET_ACCESS)
    access.set_chunk_cache(10_007, min(_MAX_CACHE_BYTES, 2 * slab + _BLOCK_BYTES), 1.0)
    del dataset  # the library does not open a dataset twice in two ways
    return h5d.open(source.id, path, access)


def _stored_rows(dataset: h5d.DatasetID) -> NDArray[np.bool_] | None:
    """Per row of chunks whether any is stored; None where all rows are."""
    if not _is_chunked(dataset):
        return None
    step = _chunk(dataset)[0]
    found = np.zeros(-(-dataset.shape[0] // step), bool)
    found[list_corners(dataset)[:, 0] // step] = True
    return found


def _stored_runs(
    dataset: h5d.DatasetID, is_stored: NDArray[np.bool_] | None, rows: slice, step: int
) -> Iterator[slice]:
    """Runs of rows of which something is stored, in new chunks of ``step`` rows counted from the first row."""
    if is_stored is None or is_stored.all():
        yield rows
        return
    starts = np.arange(rows.start, rows.stop, step)
    old, stops = _chunk(dataset)[0], np.minimum(starts + step, rows.stop)
    counts = np.concatenate([[0], np.cumsum(is_stored)])
    has_any = counts[-(-stops // old)] > counts[starts // old]
    edges = np.flatnonzero(np.diff(np.concatenate([[False], has_any, [False]]).astype(np.int8)))
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        yield slice(int(starts[first]), int(stops[last - 1]))


def _shifted(block: Block, rows: int) -> Block:
    """A block so many rows further down."""
    return (slice(block[0].start + rows, block[0].stop + rows), *block[1:])


def _is_chunked(dataset: h5d.DatasetID) -> bool:
    return bool(dataset.get_create_plist().get_layout() == h5d.CHUNKED)


def _chunk(dataset: Any) -> tuple[int, ...]:
    return tuple(dataset.get_create_plist().get_chunk()) if _is_chunked(dataset) else (1,) * len(dataset.shape)
