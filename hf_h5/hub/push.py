"""Files of this machine -> a repository, so that what was uploaded once is never uploaded again.

Uploads of many files are first committed to a branch of their own, a few at a time. When all are there, one commit
makes them visible in ``main``, together with the card: nobody ever loads half a set. A push that was interrupted finds
on the branch what is done, by checksum; the Hub itself keeps the score, so that it may go on from another machine.

Others may push to the same repository at the same time. The branch is that of the content, so that pushes of other data
under the same names do not meet there, and runs of the same push help each other: the one that ends first removes the
branch, and the others find all in ``main``. Whatever was in ``main`` before the last commit, all files of the push are
in it after.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from huggingface_hub import CommitOperationAdd, CommitOperationCopy, CommitOperationDelete

from ..describe.wording import bytes_text, count_text
from ..errors import HubError
from .checksums import sha256_of
from .refusals import RevisionGoneError
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
    branch = _branch_name(checksums)
    for is_last in (*[False] * (_MAX_TRIES - 1), True):
        try:
            staged = _stage(repository, files, checksums, branch, say)
            break
        except RevisionGoneError:
            # Another run of the same push has finished, and removed the branch.
            if is_last:
                raise

    def finish(head: str) -> list[Any]:
        kept = repository.checksums(head)
        missing = _missing(checksums, kept)
        gone = [path for path in kept if path not in files and is_replaced(path)]
        return [
            *(staged.copy_or_add(path, files[path], checksum) for path, checksum in missing.items()),
            *(CommitOperationDelete(path) for path in gone),
            CommitOperationAdd(_CARD, make_card(repository.read_card(head)).encode()),
        ]

    _commit_to_main(repository, finish, message)
    # Also one that an earlier push could not remove any more.
    if len(files) > 1 and branch in repository.branches():
        repository.remove_branch(branch)


@dataclass(frozen=True)
class _Staged:
    """What lies outside of ``main``: a commit, which stays what it is whatever becomes of its branch."""

    revision: str = ""
    checksums: Mapping[str, str | None] = field(default_factory=dict)

    def copy_or_add(self, path: str, file: Path, checksum: str) -> Any:
        if self.checksums.get(path) == checksum:
            return CommitOperationCopy(path, path, src_revision=self.revision)
        return CommitOperationAdd(path, str(file))


def _stage(
    repository: Repository,
    files: Mapping[str, Path],
    checksums: Mapping[str, str],
    branch: str,
    say: Callable[[str], None],
) -> _Staged:
    """Upload to the branch what ``main`` lacks, if that is more than one file."""
    missing = _missing(checksums, repository.checksums("main"))
    if len(missing) > 1:
        repository.start_branch(branch)
        there = repository.checksums(branch)
        _upload(repository, {path: files[path] for path in _missing(missing, there)}, branch, say, of=len(files))
        revision = repository.head(branch)
        return _Staged(revision, repository.checksums(revision))
    if len(missing) < len(files):
        say(f"{count_text(len(files) - len(missing), 'file')} of {len(files)} there already")
    for path in missing:
        say(f"{path}  {bytes_text(files[path].stat().st_size)}")
    return _Staged()


def _branch_name(checksums: Mapping[str, str]) -> str:
    """The same for the same files, so that a rerun finds it, and pushes of other data at the same time do not."""
    return f"hf-h5-push-{hashlib.sha256(repr(sorted(checksums.items())).encode()).hexdigest()[:16]}"


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
