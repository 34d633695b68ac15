"""``hf-h5 convert``: HDF5 files -> Parquet shards per split, in a folder that ``load_dataset`` reads.

A shard is written under another name, then renamed: under its own name it is whole. A manifest says of which files and
options the folder is made, so that a conversion that was cut short goes on where it stopped, and never another one.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from ..assemble.arrow import table_features, to_arrow_table
from ..cache_key import NEUTRAL, cache_key
from ..describe.opening import expand_files
from ..describe.options import Options, make_options
from ..describe.schema import Table
from ..describe.wording import bytes_text
from ..errors import OptionError
from ..isolate.choose import AnyReader, make_reader, resolve
from ..opening import count_bytes
from ..read.fingerprint import Fingerprint
from ..sharding import batch_bounds

__all__ = ["MANIFEST", "Shard", "plan_shards", "run_convert"]

MANIFEST = ".hf-h5-convert.json"
"""Its name begins with a dot: ``datasets`` takes it for no data."""

_FORMAT = 1
_BATCH_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Shard:
    """One Parquet file: half-open rows ``start`` to ``stop`` of a split."""

    name: str
    split: str
    start: int
    stop: int


@dataclass(slots=True)
class _Target:
    """The folder that is written."""

    folder: Path
    manifest: Mapping[str, Any]
    say: Callable[[str], None] = field(default=print)


def run_convert(
    files: Sequence[str],
    output: str,
    *,
    options: Mapping[str, Any] | None = None,
    max_shard_size: int | str = "500MB",
    overwrite: bool = False,
    say: Callable[[str], None] = print,
) -> int:
    """Convert files to Parquet.

    Parameters
    ----------
    files
        Files or patterns.
    output
        The folder; made if it is not there. Shards that are there from the same files and options are kept.
    max_shard_size
        Bytes of decoded rows in a shard, as a number or ``"500MB"``.
    overwrite
        Whether what another conversion wrote into the folder is removed first.
    say
        Is handed a line for each shard.

    Returns
    -------
    int
        0.

    Raises
    ------
    OptionError
        If the folder holds Parquet files of something else.
    H5Error
        If the files cannot be read or do not form one table.
    """
    chosen = make_options(**(options or {}))
    names = [os.path.abspath(file) if "://" not in file else file for file in expand_files(list(files))]
    tables = resolve({"train": names}, chosen).splits
    with contextlib.ExitStack() as opened:
        readers: dict[str, AnyReader] = {split: make_reader(table, chosen) for split, table in tables.items()}
        for reader in readers.values():
            opened.enter_context(reader)
        shards = plan_shards(readers, count_bytes(max_shard_size, "max_shard_size"))
        target = _Target(Path(output), _manifest(names, chosen, shards), say)
        _prepare(target, overwrite)
        missing = [shard for shard in shards if not _is_done(target.folder / shard.name, shard)]
        if len(missing) < len(shards):
            say(f"{len(shards) - len(missing)} of {len(shards)} shards were there already")
        for shard in missing:
            _write_shard(target, shard, readers[shard.split], chosen)
    rows = ", ".join(f"{split}: {table.num_rows:,} rows" for split, table in tables.items())
    say(f"{output}: {rows}; load it with datasets.load_dataset({output!r})")
    return 0


def plan_shards(readers: Mapping[str, AnyReader], shard_bytes: int) -> list[Shard]:
    """Cut each split into shards of about equal bytes at the boundaries of its row groups.

    A split without rows has one, too, so that its columns are known. The same files, options and size give the same
    shards, which resuming relies on.
    """
    shards = []
    for split, reader in readers.items():
        rows = max(1, shard_bytes // _row_bytes(reader.schema))
        bounds = batch_bounds(0, len(reader), rows, reader.row_groups()) or [(0, 0)]
        for number, (start, stop) in enumerate(bounds):
            shards.append(Shard(f"{split}-{number:05d}-of-{len(bounds):05d}.parquet", split, start, stop))
    return shards


def _row_bytes(table: Table) -> int:
    return max(1, sum(column.row_bytes for column in table.columns.values()))


def _manifest(files: Sequence[str], options: Options, shards: Sequence[Shard]) -> dict[str, Any]:
    return {
        "format": _FORMAT,
        "key": cache_key(options, {"train": list(files)}),
        "files": [{"file": file, **_facts(file)} for file in files],
        "options": {name: repr(value) for name, value in _given(options).items()},
        "shards": [asdict(shard) for shard in shards],
    }


def _given(options: Options) -> dict[str, Any]:
    values = {item.name: getattr(options, item.name) for item in fields(options) if item.name not in NEUTRAL}
    return {name: value for name, value in values.items() if value != getattr(Options(), name)}


def _facts(file: str) -> dict[str, int]:
    if "://" in file:
        return {}
    found = Fingerprint.of_file(file)
    return {"size": found.size, "mtime_ns": found.mtime_ns}


def _prepare(target: _Target, overwrite: bool) -> None:
    """Make the folder fit for this conversion: of itself, swept of half-written files, and with its manifest."""
    folder, file = target.folder, target.folder / MANIFEST
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(target.manifest, indent=1)
    before = _read_manifest(file)
    if before != json.loads(text):
        known = [shard["name"] for shard in before["shards"]] if before else []
        present = [name for name in known if (folder / name).exists()]
        foreign = sorted(each.name for each in folder.glob("*.parquet") if each.name not in known)
        if foreign or (present and not overwrite):
            what = f"{foreign[0]}, which hf-h5 did not write" if foreign else "shards of other files, options or sizes"
            hint = "name another folder" + ("" if foreign else ", or pass --overwrite to remove them")
            raise OptionError(f"the folder holds {what}", file=str(folder), hint=hint)
        for name in present:
            (folder / name).unlink()
        with _whole_or_not_at_all(file) as part:
            part.write_text(text, encoding="utf-8")
    for part in folder.glob(".*.part"):
        if not _is_alive(part):
            part.unlink(missing_ok=True)


def _read_manifest(file: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found.get("format") == _FORMAT else None


def _is_alive(part: Path) -> bool:
    """Whether the process whose number is in the name of a half-written file still runs here."""
    number = part.name.rsplit(".", 2)[-2]
    try:
        os.kill(int(number), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        return True
    return int(number) != os.getpid()


@contextlib.contextmanager
def _whole_or_not_at_all(file: Path) -> Iterator[Path]:
    """A path to write to, which takes the name of ``file`` once all is on disk, or is removed."""
    part = file.with_name(f".{file.name.lstrip('.')}.{os.getpid()}.part")
    try:
        yield part
        with open(part, "rb+") as stream:
            os.fsync(stream.fileno())
        os.replace(part, file)
    finally:
        part.unlink(missing_ok=True)


def _is_done(file: Path, shard: Shard) -> bool:
    """Whether a shard is there and has its rows."""
    if not file.exists():
        return False
    try:
        return bool(pq.read_metadata(file).num_rows == shard.stop - shard.start)
    except (OSError, ValueError):
        return False


def _write_shard(target: _Target, shard: Shard, reader: AnyReader, options: Options) -> None:
    table, file = reader.schema, target.folder / shard.name
    features = table_features(table, nested=options.nested, given=options.features)
    rows = options.batch_size or max(1, _BATCH_BYTES // _row_bytes(table))
    with _whole_or_not_at_all(file) as part, pq.ParquetWriter(part, features.arrow_schema) as writer:
        for piece in batch_bounds(shard.start, shard.stop, rows, reader.row_groups()):
            writer.write_table(to_arrow_table(reader.read(range(*piece)), table, features, nested=options.nested))
    target.say(f"{shard.name}  {shard.stop - shard.start:,} rows  {bytes_text(file.stat().st_size)}")
