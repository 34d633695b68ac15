"""Rows of HDF5 files as tensors, read when asked for: ``H5TorchView``, with the methods of ``datasets.Dataset``."""

from .column import ViewColumn
from .h5_view import H5TorchView

__all__ = ["H5TorchView", "ViewColumn"]
