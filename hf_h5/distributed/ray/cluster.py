"""A connection to Ray: the cluster that is there, or one on this machine for as long as it is needed."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from collections.abc import Iterator, Mapping
from typing import Any

import ray

from ...errors import H5Error, OptionError

__all__ = ["connected", "lost_errors", "memory_for"]

# Shards go from file to file: of what Ray keeps in shared memory there is only the plan and reports.
_STORE_BYTES = 128 << 20
_ANSWER_S = 10
_HINT = "ray status shows whether the cluster runs, and ray start --head starts one"


@contextlib.contextmanager
def connected(address: str | None) -> Iterator[None]:
    """Use the connection of this process, or make one and end it afterwards.

    Parameters
    ----------
    address
        Of a cluster; None for the one that this machine belongs to, else for one that is started here.
    """
    if ray.is_initialized():
        yield
        return
    _connect(address)
    try:
        yield
    finally:
        ray.shutdown()


def _connect(address: str | None) -> None:
    _expect_answer(address)
    quiet: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    try:
        ray.init(address=address or os.environ.get("RAY_ADDRESS") or "auto", **quiet)
    except (ConnectionError, ValueError) as error:
        if address is not None or os.environ.get("RAY_ADDRESS"):
            raise OptionError(f"there is no Ray cluster at {address!r}: {error}", hint=_HINT) from error
        ray.init(object_store_memory=_STORE_BYTES, include_dashboard=False, **quiet)


def _expect_answer(address: str | None) -> None:
    """Say at once that nobody answers, which Ray finds out in minutes."""
    host, _, port = (address or "").partition(":")
    if not port.isdecimal():
        return
    try:
        socket.create_connection((host, int(port)), timeout=_ANSWER_S).close()
    except OSError as error:
        raise OptionError(f"no Ray cluster answers at {address!r}: {error}", hint=_HINT) from error


def memory_for(wanted_bytes: int, num_cpus: float) -> int:
    """How much memory a task declares: what it wants, but no more than some machine of the cluster has.

    Raises
    ------
    H5Error
        If no machine has enough cores, so that tasks would wait for ever.
    """
    machines = [_resources(node) for node in ray.nodes() if node["Alive"]]
    fitting = [each for each in machines if each.get("CPU", 0) >= num_cpus]
    if not fitting:
        cores = max((each.get("CPU", 0) for each in machines), default=0)
        raise H5Error(
            f"a task takes {num_cpus:g} cores, and the largest machine of the cluster has {cores:g}",
            hint="ray status shows what the cluster has",
        )
    return min(wanted_bytes, int(0.9 * max(each.get("memory", 0) for each in fitting)))


def _resources(node: Mapping[str, Any]) -> Mapping[str, float]:
    found: Mapping[str, float] = node.get("Resources", {})
    return found


def lost_errors() -> tuple[type[Exception], ...]:
    """What Ray raises where a process or machine went, and the work may be done elsewhere."""
    names = ("LocalRayletDiedError", "NodeDiedError", "ObjectLostError", "OutOfMemoryError", "WorkerCrashedError")
    return tuple(getattr(ray.exceptions, name) for name in names)
