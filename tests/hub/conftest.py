"""The fixtures of this folder."""

from .fixtures import client, hub, lfs_client, running_hub

__all__ = ["client", "hub", "lfs_client", "running_hub"]
