"""What a dataset card tells of HDF5 files: looked up in the files and in the command."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
from collections.abc import Container, Mapping, Sequence
from typing import Any

from ..describe.schema import Schema
from ..errors import DamagedFileError, NotHDF5Error
from ..hub.card_facts import CardFacts, Config, Source
from ..hub.checksums import sha256_of
from ..opening import describe
from ..version import installed_version

__all__ = ["card_facts", "command_text", "describe_for_card", "tables_by_config"]

_OF_ONE_TABLE = ("columns", "table", "class_labels", "features", "join", "axis")
"""Options that choose, or make, one table: the others of the file are then not pushed."""

_OF_THE_READING = ("batch_size", "on_bad_files", "on_bad_rows", "arrays", "threads", "route")


def describe_for_card(files: Sequence[str], options: Mapping[str, Any]) -> Schema:
    """Describe the whole first file, whatever is chosen of it; the first that can be read, where others are skipped."""
    left_out = (*_OF_ONE_TABLE, *_OF_THE_READING)
    told = {name: value for name, value in options.items() if name not in left_out}
    skips = options.get("on_bad_files", "error") != "error"
    for file in files[:-1] if skips else []:
        with contextlib.suppress(DamagedFileError, NotHDF5Error):
            return describe(file, **told)
    return describe(files[-1 if skips else 0], **told)


def tables_by_config(schema: Schema, options: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the options with which each table is read, by the name of its configuration; the default one first.

    Options that choose a table leave the others out.
    """
    found = {"default": dict(options)}
    if any(name in options for name in _OF_ONE_TABLE):
        return found
    for table in schema.tables:
        if table != schema.default:
            found[_config_name(table, found)] = {**options, "table": table}
    return found


def _config_name(table: str, taken: Mapping[str, Any]) -> str:
    """A name that is a folder's and a configuration's: ``/stats/mean`` is ``stats-mean``."""
    name = re.sub(r"[^\w.-]+", "-", table).strip("-.") or "root"
    # "data" is the folder of the default configuration.
    while name in taken or name in ("data", "default"):
        name += "-table"
    return name


def card_facts(
    repo_id: str,
    configs: Sequence[Config],
    schema: Schema,
    files: Sequence[str],
    argv: Sequence[str],
    *,
    unread: Container[str] = (),
) -> CardFacts:
    """All that a card tells of files and the command that brought them, with the checksums of those that were read."""
    attrs = {**schema.attrs, **schema.metadata}
    return CardFacts(
        repo_id,
        configs,
        _sources([file for file in files if file not in unread]),
        attrs,
        command_text(argv, files),
        installed_version(),
    )


def _sources(files: Sequence[str]) -> list[Source]:
    """Names, sizes and checksums of files; only the name of one behind a URL. Folders of this machine are left out."""
    return [
        Source(file, None, None)
        if "://" in file
        else Source(os.path.basename(file), os.path.getsize(file), sha256_of(file))
        for file in files
    ]


def command_text(argv: Sequence[str], files: Sequence[str]) -> str:
    """The command as it can be run beside the files: without folders of this machine.

    >>> command_text(["convert", "runs/a b.h5", "--push-to-hub", "me/x", "-o", "/scratch/x"], ["runs/a b.h5"])
    "hf-h5 convert 'a b.h5' --push-to-hub me/x"
    """
    known = {os.path.abspath(file) for file in files}
    words, skipped = [], False
    for word in argv:
        if skipped or word in ("-o", "--output"):
            skipped = not skipped
        elif not word.startswith("--output="):
            local = "://" not in word and (os.path.abspath(word) in known or os.path.isabs(word))
            words.append(os.path.basename(word) if local else word)
    return shlex.join(["hf-h5", *words])
