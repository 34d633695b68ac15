"""Code that runs as a user of a loopback hub: in one process of its own, with the unmodified clients.

``datasets`` and ``huggingface_hub`` read where the Hub is once, when they are imported, and the process of the tests is
told that there is none. So a second process is started with other variables, once for many tests.
"""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import traceback
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

__all__ = ["Client", "Printed", "as_user", "become_user", "environment", "run_command"]

T = TypeVar("T")


def environment(url: str, home: Path, *, xet: bool = True, token: str | None = None) -> dict[str, str]:
    """Return the variables of a user of a hub, for ``os.environ`` or a process that is started."""
    found = {
        "HF_ENDPOINT": url,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_UPDATE_DOWNLOAD_COUNTS": "0",
    }
    found |= {"HF_HUB_DISABLE_XET": "0" if xet else "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
    found |= {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "NO_PROXY": "127.0.0.1,localhost"}
    return found | ({"HF_TOKEN": token} if token else {})


class Client:
    """The process; a context manager, which ends it.

    Functions that it is to call are of modules that import nothing of ``datasets`` before, or import nothing else.
    """

    def __init__(self, variables: Mapping[str, str]) -> None:
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(1, mp_context=context, initializer=become_user, initargs=(dict(variables),))

    def call(self, function: Callable[..., T], *args: Any, token: str | None = None, **kwargs: Any) -> T:
        """Call a function of a module there, with HF_TOKEN set to ``token``; return what it returns or raise."""
        return self._pool.submit(_call, function, token, args, kwargs).result()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()


def become_user(variables: Mapping[str, str]) -> None:
    """Give this process the variables of a user of a hub, before it imports the clients."""
    for name in [name for name in os.environ if name.startswith(("HF_", "HUGGING"))]:
        del os.environ[name]
    os.environ.update(variables)


def _call(function: Callable[..., T], token: str | None, args: tuple[Any, ...], kwargs: dict[str, Any]) -> T:
    with as_user(token):
        try:
            return function(*args, **kwargs)
        except Exception as error:  # noqa: BLE001  whatever it is, it is raised in the process of the tests
            raise _portable(error) from None


def _portable(error: Exception) -> Exception:
    """The error with its traceback as a note; those of HTTP clients hold connections, which do not pickle."""
    text = traceback.format_exc()
    if type(error).__module__ in ("builtins", "hf_h5.errors"):
        error.add_note(text)
        return error
    return RuntimeError(f"{type(error).__module__}.{type(error).__qualname__}: {error}\n{text}")


@contextlib.contextmanager
def as_user(token: str | None) -> Iterator[None]:
    """Let the environment hold a token for a while; clients look for it with every request."""
    if token:
        os.environ["HF_TOKEN"] = token
    try:
        yield
    finally:
        os.environ.pop("HF_TOKEN", None)


@dataclass(frozen=True)
class Printed:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


def run_command(*argv: str) -> Printed:
    """Run ``hf-h5`` in this process."""
    from hf_h5.cli import main

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(argv)
    return Printed(code, out.getvalue(), err.getvalue())
