"""``hf-h5 convert --push-to-hub``: HDF5 files -> Parquet shards -> a dataset repository with its card.

The shards are made in a folder first, which a rerun goes on with; each table of the files becomes a configuration.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ..describe.opening import expand_files
from ..describe.options import make_options
from ..errors import H5Error, OptionError
from ..hub.card_facts import CardFacts
from ..hub.parquet import folder_beside_caches, look_at_table, push_tables
from ..hub.repository import Repository, open_repository
from ..isolate.choose import resolve
from .card_facts import card_facts, describe_for_card, tables_by_config
from .console import Console
from .convert import run_convert

__all__ = ["room_for_shards", "run_push"]


def run_push(
    files: Sequence[str],
    repo_id: str,
    *,
    output: str | None = None,
    private: bool = False,
    num_proc: int = 1,
    options: Mapping[str, Any] | None = None,
    max_shard_size: int | str = "500MB",
    overwrite: bool = False,
    argv: Sequence[str] = (),
    console: Console | None = None,
) -> int:
    """Convert files and push them to the Hub.

    Parameters
    ----------
    files
        Files or patterns.
    repo_id
        ``USER/NAME``; made if it is not there.
    output
        Where the shards are made and stay; by default a folder beside the caches of ``datasets``, which is removed once
        all is pushed.
    private
        Whether a new repository is private.
    num_proc
        How many processes convert.
    overwrite
        Whether what another conversion wrote into ``output`` is removed first.
    argv
        The command, for the card.
    console
        Where words go.

    Returns
    -------
    int
        0.

    Raises
    ------
    HubError
        If the Hub refuses; the shards, and what is uploaded, stay for the next try.
    H5Error
        If the files cannot be read or do not form one table.
    """
    told, given = console or Console(), dict(options or {})
    names = [name if "://" in name else os.path.abspath(name) for name in expand_files(list(files))]
    root = (
        Path(output) if output else folder_beside_caches(repo_id, names, sorted(given.items(), key=str), max_shard_size)
    )
    if "://" in (output or ""):
        raise OptionError(f"{output!r} is a URL", hint="shards to be pushed are made on this machine")
    # No repository is made for what is no HDF5, and of a missing token one hears before an hour of converting.
    schema = describe_for_card(names, given)
    repository = open_repository(repo_id, private=private)
    with contextlib.nullcontext() if output else _alone_in(root, told.say):
        pushed, unread = [], set(names)
        for name, chosen in tables_by_config(schema, given).items():
            place = "data" if name == "default" else name
            with room_for_shards(root):
                run_convert(
                    names,
                    str(root / place),
                    options=chosen,
                    max_shard_size=max_shard_size,
                    num_proc=num_proc,
                    overwrite=overwrite or output is None,
                    console=told,
                    say=_of_shards(told.say),
                )
            found = resolve({"train": names}, make_options(**chosen))
            unread &= {file for file, _ in found.left_out.files}
            pushed.append(look_at_table(root / place, found.splits, chosen, name=name, place=place))
        facts = card_facts(repo_id, [each.config for each in pushed], schema, names, argv, unread=unread)
        push_tables(repository, pushed, facts, told.say)
        if output is None:
            shutil.rmtree(root, ignore_errors=True)
    _tell(repository, facts, told)
    return 0


@contextlib.contextmanager
def _alone_in(folder: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Wait until no other run of the same push makes shards in the folder, which it removes in the end."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Beside the folder of all pushes, where the locks of datasets lie too.
    lock = FileLock(folder.parent.with_name(f"_{folder.parent.name}_{folder.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say("another run of the same push is at work here; waiting for its end")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def room_for_shards(folder: Path) -> Iterator[None]:
    """Say what to do when the disk is full.

    Raises
    ------
    H5Error
        Instead of the system's error.
    """
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise H5Error(
            "there is no room for the shards, which are made here before they are pushed",
            file=str(folder),
            hint="make room, or pass -o FOLDER on another disk; then run the same command again",
        ) from error


def _of_shards(say: Callable[[str], None]) -> Callable[[str], None]:
    """What is said of shards; how to load the folder that they are made in is of no use to who pushes them."""
    return lambda text: None if "load_dataset(" in text else say(text)


def _tell(repository: Repository, facts: CardFacts, console: Console) -> None:
    loading = f"load it with datasets.load_dataset({facts.repo_id!r})"
    others = [config.name for config in facts.configs if config.name != "default"]
    more = f"; other tables: {', '.join(others)}" if others else ""
    text = f"{repository.url}: {facts.configs[0].n_rows:,} rows; {loading}{more}"
    console.result(text, {"url": repository.url, "rows": facts.rows}, brief=repository.url)
