"""Ray: conversions on a cluster, and HDF5 files as a ``ray.data.Dataset``; needs the extra ``ray``."""

from __future__ import annotations

from ...errors import MissingPackageError

try:
    import ray as _ray  # noqa: F401  # only to say in plain words that it is missing
except ImportError as error:
    raise MissingPackageError("Ray is not installed", hint="pip install 'hf-h5[ray]'") from error

from .convert import convert, run_shards
from .reading import read_h5, to_storage

__all__ = ["convert", "read_h5", "run_shards", "to_storage"]
