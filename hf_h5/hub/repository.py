"""A dataset repository of the Hub: what is in it, and commits that try again."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError
from huggingface_hub.hf_api import RepoFile

from ..errors import DataError, OptionError
from .refusals import IS_TEMPORARY, hub_errors, status_of

__all__ = ["Repository", "open_repository"]

T = TypeVar("T")

_KIND = "dataset"
_CARD = "README.md"
_MISSING = 404
_STALE = 412
_PAUSES_S = (0.5, 2.0, 8.0, 30.0)
"""How long to wait before the second, third, ... try: a push of hours must not end with one bad minute."""


class Repository:
    """A repository that may be written to; made by `open_repository`."""

    def __init__(self, repo_id: str, api: HfApi) -> None:
        self.repo_id = repo_id
        self._api = api

    @property
    def url(self) -> str:
        return f"{self._api.endpoint}/datasets/{self.repo_id}"

    def head(self, branch: str = "main") -> str:
        """The commit that a branch is at."""
        return str(self._try(self._api.repo_info, self.repo_id, repo_type=_KIND, revision=branch).sha)

    def checksums(self, revision: str) -> dict[str, str | None]:
        """SHA-256 of every large file by path; None for small files, of which git knows another checksum."""
        listed = self._try(lambda: list(self._api.list_repo_tree(self.repo_id, None, **self._at(revision))))
        files = [each for each in listed if isinstance(each, RepoFile)]
        return {each.path: each.lfs.sha256 if each.lfs else None for each in files}

    def _at(self, revision: str) -> dict[str, Any]:
        return {"revision": revision, "recursive": True, "repo_type": _KIND}

    def read_card(self, revision: str) -> str | None:
        """The text of the card, or None.

        Raises
        ------
        DataError
            If it is no text.
        """

        def once() -> str | None:
            try:
                return str(self._api.hf_hub_download(self.repo_id, _CARD, repo_type=_KIND, revision=revision))
            except EntryNotFoundError:
                return None

        file = self._try(once)
        try:
            return None if file is None else Path(file).read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise DataError(
                "the dataset's card is no text in UTF-8",
                file=f"hf://datasets/{self.repo_id}/{_CARD}",
                hint="remove it, or put a text in its place, on the page of the dataset; then push again",
            ) from error

    def branches(self) -> list[str]:
        """Names of all branches."""
        return [each.name for each in self._try(self._api.list_repo_refs, self.repo_id, repo_type=_KIND).branches]

    def start_branch(self, name: str) -> None:
        """Make a branch, unless it is there."""
        self._try(self._api.create_branch, self.repo_id, branch=name, repo_type=_KIND, exist_ok=True)

    def remove_branch(self, name: str) -> None:
        """Remove a branch, unless somebody else was faster."""

        def once() -> None:
            try:
                self._api.delete_branch(self.repo_id, branch=name, repo_type=_KIND)
            except HfHubHTTPError as error:
                if status_of(error) != _MISSING:
                    raise

        self._try(once)

    def commit(
        self,
        operations: Callable[[], Sequence[Any]],
        message: str,
        *,
        revision: str = "main",
        parent: str | None = None,
    ) -> bool:
        """Upload the files of the operations and commit them.

        Parameters
        ----------
        operations
            Makes them; called for each try, because clients take operations apart.
        parent
            The commit that must still be the last one.

        Returns
        -------
        bool
            False if another one is, and nothing was committed.
        """
        options: dict[str, Any] = {
            "commit_message": message,
            "repo_type": _KIND,
            "revision": revision,
            "parent_commit": parent,
        }

        def once() -> bool:
            try:
                self._api.create_commit(self.repo_id, operations(), **options)
            except HfHubHTTPError as error:
                if parent is None or status_of(error) != _STALE:
                    raise
                return False
            return True

        return self._try(once)

    def _try(self, ask: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Ask again after errors that may pass."""
        with hub_errors(self.repo_id):
            for pause_s in _PAUSES_S:
                try:
                    return ask(*args, **kwargs)
                except (OSError, RuntimeError) as error:
                    # Commits to a branch on which nobody insists on the last one may follow those of others.
                    if status_of(error) not in IS_TEMPORARY | {_STALE}:
                        raise
                    time.sleep(pause_s)
            return ask(*args, **kwargs)


def open_repository(repo_id: str, *, private: bool = False) -> Repository:
    """Make a repository unless it is there, and see that it may be written to before anything is converted.

    Parameters
    ----------
    repo_id
        ``USER/NAME``.
    private
        Whether only its owner may see it.

    Raises
    ------
    HubError
        If there is no token, or it may not write there.
    OptionError
        If it is no name of a repository, or a public one that should be private.
    """
    if repo_id.count("/") != 1:
        raise OptionError(f"{repo_id!r} is no name of a dataset repository", hint="it is USER/NAME")
    api = HfApi()
    repository = Repository(repo_id, api)
    with hub_errors(repo_id):
        # private=None leaves the choice to the organisation's settings.
        api.create_repo(repo_id, repo_type=_KIND, private=private or None, exist_ok=True)
        is_private = bool(api.repo_info(repo_id, repo_type=_KIND).private)
        # A repository of somebody else that is there passes until here. Asking how a file would be sent sends none.
        api.preupload_lfs_files(repo_id, [CommitOperationAdd(_CARD, b"\n")], repo_type=_KIND)
    if private and not is_private:
        raise OptionError(
            f"{repo_id!r} is there already, and public",
            file=repository.url,
            hint=f"make it private at {repository.url}/settings, name another, or leave out --private",
        )
    return repository
