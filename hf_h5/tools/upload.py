"""``hf-h5 upload``: HDF5 files as they are -> a dataset repository, with indices for reading from afar and a card."""

from __future__ import annotations

import glob
import os
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from ..describe.opening import expand_files
from ..describe.options import make_options
from ..describe.wording import count_text
from ..errors import OptionError
from ..hub.card_facts import CardFacts, Config, Split
from ..hub.cards import make_card
from ..hub.push import push_files
from ..hub.repository import Repository, open_repository
from ..hub.sidecar import write_index
from ..isolate.choose import resolve
from ..remote.index_file import ENDING
from .card_facts import card_facts, describe_for_card, tables_by_config
from .console import Console

__all__ = ["run_upload"]

_UNWRITABLE = ("features", "batch_size", "join", "on_bad_files", "on_bad_rows")
"""Options that the YAML of a card cannot say, or that are not about what the files hold."""

_TAKEN = {"README.md": "the card of the repository", ".gitattributes": "git's own file in the repository"}
"""What a file of the repository with this name is."""

_LISTED = 3
"""As many files are named in a line."""

_HDF5 = (".h5", ".hdf5", ".hdf", ".h5ad", ".he5", ".nc", ".nc4", ".nwb")


def run_upload(
    files: Sequence[str],
    repo_id: str,
    *,
    private: bool = False,
    options: Mapping[str, Any] | None = None,
    argv: Sequence[str] = (),
    console: Console | None = None,
) -> int:
    """Upload HDF5 files as they are.

    Parameters
    ----------
    files
        Files or patterns: all that make the table, also those that are there already, which are not uploaded again.
    repo_id
        ``USER/NAME``; made if it is not there.
    private
        Whether a new repository is private.
    options
        Options of the package, which go into the card for whoever loads the files.
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
        If the Hub refuses; what is uploaded stays for the next try.
    OptionError
        If two files have one name, or the card cannot say an option.
    H5Error
        If the files cannot be read or do not form one table.
    """
    told, given = console or Console(), dict(options or {})
    local = _local_files(files, given)
    names = list(local.values())
    # No repository is made for what is no HDF5; looking at all files may take long, and waits.
    schema = describe_for_card(names, given)
    repository = open_repository(repo_id, private=private)
    configs = [_config(name, names, list(local), chosen) for name, chosen in tables_by_config(schema, given).items()]
    facts = card_facts(repo_id, configs, schema, names, argv)
    with tempfile.TemporaryDirectory(prefix="hf-h5-indices-") as folder:
        uploaded = {name: Path(file) for name, file in local.items()}
        for name, file in local.items():
            uploaded[name + ENDING] = write_index(file, Path(folder) / (name + ENDING))
        _say_others(repository, uploaded, told)
        push_files(
            repository,
            uploaded,
            lambda before: make_card(facts, before),
            message="Upload HDF5 with hf-h5",
            say=told.say,
        )
    _tell(repository, facts, told)
    return 0


def _local_files(files: Sequence[str], options: Mapping[str, Any]) -> dict[str, str]:
    """Return the files by the name that they get."""
    unwritable = [name for name in _UNWRITABLE if name in options]
    if unwritable:
        hint = "leave it out, or convert the files and push what comes out: hf-h5 convert ... --push-to-hub"
        raise OptionError(f"a card cannot say {unwritable[0]}=", hint=hint)
    urls = [name for name in files if "://" in name]
    if urls:
        raise OptionError("only files of this machine are uploaded", file=urls[0], hint="download it first")
    names = expand_files(list(files))
    twice = [name for name, count in Counter(map(os.path.basename, names)).items() if count > 1]
    if twice:
        raise OptionError(f"two files are named {twice[0]!r}, and would be one in the repository", hint="rename one")
    for name in names:
        _check_name(name, names)
    return {os.path.basename(name): os.path.abspath(name) for name in names}


def _check_name(file: str, files: Sequence[str]) -> None:
    """Raise where a file cannot lie in a repository under its own name, or would not be found there."""
    name = os.path.basename(file)
    if name in _TAKEN or name in {os.path.basename(each) + ENDING for each in files}:
        use = _TAKEN.get(name, "the index of another file that is uploaded")
        raise OptionError(f"{name!r} is the name of {use}", file=file, hint="rename the file, for example to data.h5")
    if not PurePosixPath(name).suffix:
        problem = f"{name!r} has no extension, by which datasets.load_dataset tells what a file is"
        raise OptionError(problem, file=file, hint=f"rename the file, for example to {name.strip('.') or 'data'}.h5")


def _config(name: str, files: list[str], in_repo: list[str], options: Mapping[str, Any]) -> Config:
    tables = resolve({"train": files}, make_options(**options)).splits
    first = next(iter(tables.values()))
    splits = {split: Split(table.num_rows, table.logical_bytes) for split, table in tables.items()}
    # Readers take the names in a card, and those behind URLs, as patterns.
    return Config(name, first.columns, splits, {"train": [glob.escape(each) for each in in_repo]}, options=options)


def _say_others(repository: Repository, uploaded: Mapping[str, Path], console: Console) -> None:
    others = [path for path in repository.checksums("main") if path.endswith(_HDF5) and path not in uploaded]
    if others:
        console.say(
            f"{count_text(len(others), 'file')} of the repository ({_listed(others)}) will not be in what is loaded: "
            "name all that belong together"
        )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_LISTED]) + (", ..." if len(names) > _LISTED else "")


def _tell(repository: Repository, facts: CardFacts, console: Console) -> None:
    first = facts.configs[0]
    files = [f"hf://datasets/{facts.repo_id}/{file}" for file in first.data_files["train"]]
    named = files if len(files) > 1 else files[0]
    # Some of many files would be other rows than those that were counted.
    how = f"with hf_h5.H5TorchView({named!r})" if len(files) <= _LISTED else "as the card says"
    text = (
        f"{repository.url}: {count_text(first.n_rows, 'row')} in {count_text(len(files), 'file')}; "
        f"read them there {how}"
    )
    console.result(text, {"url": repository.url, "rows": facts.rows}, brief=repository.url)
