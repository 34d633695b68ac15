"""A loopback hub and a client of it, for the ``conftest.py`` of every folder that wants them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .client import Client, environment
from .loopback import LoopbackHub, User

__all__ = ["ALICE", "BOB", "READER", "TOKENS", "client", "hub", "lfs_client", "running_hub"]

ALICE, BOB, READER = "hf_alice", "hf_bob", "hf_reader"
TOKENS = {ALICE: User("alice", orgs=("lab",)), BOB: User("bob"), READER: User("alice", role="read")}


@pytest.fixture(scope="session")
def running_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoopbackHub]:
    with LoopbackHub(tmp_path_factory.mktemp("hub"), TOKENS) as found:
        yield found


@pytest.fixture
def hub(running_hub: LoopbackHub) -> Iterator[LoopbackHub]:
    """The hub of this session, without faults or notes; asking for what it does not know fails the test."""
    running_hub.forget()
    yield running_hub
    assert running_hub.unknown == []


@pytest.fixture(scope="session")
def client(running_hub: LoopbackHub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with Client(environment(running_hub.url, tmp_path_factory.mktemp("home"))) as found:
        yield found


@pytest.fixture(scope="session")
def lfs_client(running_hub: LoopbackHub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client without ``hf_xet``, which uploads large files by the LFS protocol."""
    with Client(environment(running_hub.url, tmp_path_factory.mktemp("home-lfs"), xet=False)) as found:
        yield found
