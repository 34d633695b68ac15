"""The loopback hub of the tests of the Hub, for pushing a mapped dataset."""

from tests.hub.fixtures import client, hub, running_hub

__all__ = ["client", "hub", "running_hub"]
