"""HDF5 bytes as a real ``datasets.Dataset``, without a copy."""

from .opening import open_dataset

__all__ = ["open_dataset"]
