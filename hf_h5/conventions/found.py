"""What a convention hands over, and the signature that each has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import h5py

from ..describe.layout import Layout
from ..describe.options import Options
from ..describe.tree import Tree

__all__ = ["Convention", "Found"]


@dataclass(frozen=True)
class Found:
    """The tables of a file that follows a convention.

    Attributes
    ----------
    name
        The convention in words, with its version if the file states one: ``"AnnData 0.1.0"``.
    layout
        Its tables with their sizes, the default one first; metadata; and a note for whatever is not loaded.
    values
        Metadata that the convention has read already, by path: characters as strings, for one.
    """

    name: str
    layout: Layout
    values: Mapping[str, Any] = field(default_factory=dict)


Convention = Callable[[Tree, h5py.Group, Options], Found | None]
"""Looks for a convention's markers in a scanned file that is open; None if it is not followed.

Raises an ``H5Error`` only where the markers are there and the file contradicts itself.
"""
