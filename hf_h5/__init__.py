"""HDF5 files in Hugging Face `datasets` and PyTorch: converted and cached, or read in place.

Importing the package registers the builder name ``"hf_h5"`` with ``datasets`` and does nothing else; torch is
imported when a view is made.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from . import errors
from .collate import collate
from .hf_h5 import H5Builder, H5Config
from .loading import load_dataset
from .mapped import open_dataset
from .modes import load
from .opening import describe, open_table
from .registry import register, register_builder, unregister

if TYPE_CHECKING:
    from . import distributed
    from .tools.verify import verify
    from .view import H5TorchView

__all__ = [
    "H5Builder",
    "H5Config",
    "H5TorchView",
    "collate",
    "describe",
    "distributed",
    "errors",
    "load",
    "load_dataset",
    "open_dataset",
    "open_table",
    "register",
    "unregister",
    "verify",
]

register_builder()


def __getattr__(name: str) -> Any:
    if name == "H5TorchView":
        from .view import H5TorchView

        return H5TorchView
    if name == "verify":
        from .tools.verify import verify

        return verify
    if name == "distributed":
        return importlib.import_module("hf_h5.distributed")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
