"""Files of this machine -> a repository, so that what was uploaded once is never uploaded again.

Uploads of many files are first committed to a branch of their own, a few at a time. When all are there, one commit
makes them visible in ``main``, together with the card: nobody ever loads half a set. A push that was interrupted finds
on the branch what is done, by checksum; the Hub itself keeps the score, so that it may go on from another machine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from huggingface_hub import CommitOperationAdd, CommitOperationCopy, CommitOperationDelete

from ..describe.wording import bytes_text, count_text
from ..errors import HubError
from .checksums import sha256_of
from .repository import Repository

__all__ = ["push_files"]

_CARD = "README.md"
# The Hub takes some 128 commits an hour from one user.
_MAX_COMMITS = 50
_MAX_TRIES = 5

MakeCard = Callable[[str | None], str]


def push_files(
    repository: Repository,
    files: Mapping[str, Path],
    make_card: MakeCard,
    *,
    is_replaced: Callable[[str], bool] = lambda _: False,
    message: str,
    say: Callable[[str], None],
) -> None:
    """Upload files, and make them and the card visible by one commit.

    Parameters
    ----------
    files
        Path in the repository -> local file.
    make_card
        Is handed the text of the card that is there, or None, and returns the new one.
    is_replaced
        Whether a path is that of a file of an earlier push, which goes away unless it is among ``files``.
    message
        The title of the commit.
    say
        Is handed a line for each step.

    Raises
    ------
    HubError
        If the Hub refuses; what is uploaded stays there for the next try.
    """
    checksums = {path: sha256_of(file) for path, file in files.items()}
    branch = _branch_name(files)
    missing = _missing(checksums, repository.checksums("main"))
    staged: list[str] = []
    if len(missing) > 1:
        repository.start_branch(branch)
        there = repository.checksums(branch)
        _upload(repository, {path: files[path] for path in _missing(missing, there)}, branch, say, of=len(files))
        staged, missing = list(missing), {}
    elif len(missing) < len(files):
        say(f"{count_text(len(files) - len(missing), 'file')} of {len(files)} there already")

    def finish(head: str) -> list[Any]:
        kept = repository.checksums(head)
        gone = [path for path in kept if path not in files and is_replaced(path)]
        return [
            *(CommitOperationCopy(path, path, src_revision=branch) for path in staged),
            *(CommitOperationAdd(path, str(files[path])) for path in missing),
            *(CommitOperationDelete(path) for path in gone),
            CommitOperationAdd(_CARD, make_card(repository.read_card(head)).encode()),
        ]

    for path in missing:
        say(f"{path}  {bytes_text(files[path].stat().st_size)}")
    _commit_to_main(repository, finish, message)
    # Also one that an earlier push could not remove any more.
    if len(files) > 1 and branch in repository.branches():
        repository.remove_branch(branch)


def _branch_name(files: Iterable[str]) -> str:
    """The same for the same names, so that a rerun finds it, and pushes of other files at the same time do not."""
    return f"hf-h5-push-{hashlib.sha256(repr(sorted(files)).encode()).hexdigest()[:8]}"


def _missing(wanted: Mapping[str, str], there: Mapping[str, str | None]) -> dict[str, str]:
    return {path: checksum for path, checksum in wanted.items() if there.get(path) != checksum}


def _upload(
    repository: Repository, files: Mapping[str, Path], branch: str, say: Callable[[str], None], *, of: int
) -> None:
    if len(files) < of:
        say(f"{count_text(of - len(files), 'file')} of {of} uploaded already")
    paths = list(files)
    size = max(1, -(-of // _MAX_COMMITS))
    for start in range(0, len(paths), size):
        group = paths[start : start + size]
        repository.commit(partial(_additions, files, group), f"Part of {of} files", revision=branch)
        for path in group:
            say(f"{path}  {bytes_text(files[path].stat().st_size)}")


def _additions(files: Mapping[str, Path], paths: Sequence[str]) -> list[Any]:
    return [CommitOperationAdd(path, str(files[path])) for path in paths]


def _commit_to_main(repository: Repository, operations: Callable[[str], list[Any]], message: str) -> None:
    """Commit on top of what the card was read from; again if somebody else was faster."""
    for _ in range(_MAX_TRIES):
        head = repository.head()
        if repository.commit(partial(operations, head), message, parent=head):
            return
    raise HubError(
        "others write to the repository all the time",
        file=repository.url,
        hint="run the same command again: what is uploaded is not uploaded again",
    )
