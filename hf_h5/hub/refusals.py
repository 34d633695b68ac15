"""What the clients of the Hub raise -> an error that says what to do next."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from huggingface_hub import get_token
from huggingface_hub.constants import ENDPOINT
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from ..errors import H5Error, HubError, OptionError

__all__ = ["IS_TEMPORARY", "RevisionGoneError", "hub_errors", "status_of"]

# The root of the errors of the library by which the installed clients talk HTTP: requests, httpx or httpx2.
_HTTP_ERROR = [kind for kind in HfHubHTTPError.__mro__ if kind.__module__.startswith(("requests", "httpx"))][-1]
_RAISED: tuple[type[BaseException], ...] = (_HTTP_ERROR, ConnectionError, TimeoutError, RuntimeError, HFValidationError)

IS_TEMPORARY = frozenset({408, 429, 500, 502, 503, 504})
"""Statuses after which the same request may do well."""

_NO_SPACE = frozenset({402, 413, 507})
_SPACE_WORDS = ("storage", "quota", "space left", "too large")
_TOKENS_PAGE = f"{ENDPOINT}/settings/tokens"
_AGAIN = "run the same command again: what is uploaded is not uploaded again"


class RevisionGoneError(HubError):
    """A branch or commit is not there, or not any more, in a repository that is there."""


@contextmanager
def hub_errors(repo_id: str) -> Iterator[None]:
    """Turn what the clients raise about a repository into errors with a next step.

    Raises
    ------
    HubError
        If the Hub refused, has no room, or could not be reached.
    OptionError
        If it is no name of a repository.
    """
    try:
        yield
    except H5Error:
        raise
    except _RAISED as error:
        explained = _explain(error, repo_id)
        if explained is None:
            raise
        # Not chained: what the clients raise holds the request, with its token.
        raise explained from None


def status_of(error: BaseException) -> int | None:
    """The status of the answer that led to an error; 0 without an answer, None if it is not about HTTP."""
    response = getattr(error, "response", None)
    if response is not None:
        return int(response.status_code)
    if isinstance(error, _HTTP_ERROR | ConnectionError | TimeoutError):
        return 0
    # Uploads by the LFS protocol run in threads, whose errors are wrapped.
    return status_of(error.__cause__) if error.__cause__ is not None else None


def _explain(error: BaseException, repo_id: str) -> H5Error | None:
    if isinstance(error, HFValidationError):
        problem = f"{repo_id!r} is no name of a dataset repository"
        return OptionError(problem, hint="it is USER/NAME, of letters, digits, '-', '_' and '.'")
    if isinstance(error, OfflineModeIsEnabled):
        return HubError("clients of the Hub are told to stay offline", file=_page(repo_id), hint="unset HF_HUB_OFFLINE")
    if _is_caused_by(error, RevisionNotFoundError):
        problem = f"the branch or commit is gone (the Hub said: {_said(error)})"
        hint = f"another run of the same push may have finished, and removed it: {_AGAIN}"
        return RevisionGoneError(problem, file=_page(repo_id), hint=hint)
    if _is_caused_by(error, RepositoryNotFoundError) and status_of(error) == 404:
        problem = f"the Hub shows no {repo_id!r} to this token: it was removed or renamed, or belongs to others"
        return HubError(problem, file=_page(repo_id), hint=_rights_hint(repo_id))
    status = status_of(error)
    if status is not None:
        problem, hint = _problem(status, _said(error), repo_id)
    elif isinstance(error, RuntimeError):
        # What hf_xet says of uploads that fail, whatever the cause.
        problem, hint = f"the upload failed ({_said(error.__cause__ or error)})", _AGAIN
    else:
        return None
    return HubError(problem, file=_page(repo_id), hint=hint)


def _problem(status: int, said: str, repo_id: str) -> tuple[str, str]:
    """What is wrong, and the next step."""
    if status == 0:
        return f"the Hub could not be reached ({said})", f"see whether {ENDPOINT} opens here, then {_AGAIN}"
    if status == 401 and get_token() is None:
        hint = f"make one that may write at {_TOKENS_PAGE}, then run `hf auth login` or set HF_TOKEN"
        return "pushing to the Hub needs a token, and there is none", hint
    if status == 401:
        hint = f"make a new one at {_TOKENS_PAGE}, then run `hf auth login`, or set HF_TOKEN, which goes before"
        return "the Hub does not know the token: it has ended, or was mistyped", hint
    if status in _NO_SPACE or (status == 403 and any(word in said.lower() for word in _SPACE_WORDS)):
        hint = f"make room, or see {ENDPOINT}/settings/billing; then {_AGAIN}"
        return f"the Hub has no room for more (it said: {said})", hint
    if status == 403:
        return f"the token may not write to {repo_id!r} (the Hub said: {said})", _rights_hint(repo_id)
    if status == 412:
        return "somebody else wrote to the repository meanwhile", _AGAIN
    if status in IS_TEMPORARY:
        return f"the Hub is busy or has an error of its own ({status}: {said})", f"wait a little, then {_AGAIN}"
    return f"the Hub refused ({status}: {said})", f"see {_page(repo_id)}"


def _rights_hint(repo_id: str) -> str:
    owner = repo_id.split("/")[0]
    return f"push under your own name, ask {owner!r} to let you in, or take a token that may write: {_TOKENS_PAGE}"


def _is_caused_by(error: BaseException | None, kind: type[BaseException]) -> bool:
    while error is not None and not isinstance(error, kind):
        error = error.__cause__
    return error is not None


def _said(error: Any) -> str:
    """What the Hub said itself, without addresses and numbers of requests."""
    cause = error
    while cause is not None:
        said = getattr(cause, "server_message", None)
        if said:
            return str(said).splitlines()[0]
        cause = cause.__cause__
    return (str(error).splitlines() or [type(error).__name__])[0]


def _page(repo_id: str) -> str:
    return f"{ENDPOINT}/datasets/{repo_id}"
