"""Which convention a file follows: the first one whose markers it has."""

from __future__ import annotations

import h5py

from ..describe.options import Options
from ..describe.tree import Tree
from .anndata import find_anndata
from .cooler import find_cooler
from .found import Convention, Found
from .loom import find_loom
from .matlab import find_matlab
from .netcdf import find_netcdf
from .netcdf_minc import find_minc
from .nexus import find_nexus
from .nwb import find_nwb
from .pandas import find_pandas
from .sleap import find_sleap
from .tenx import find_tenx

__all__ = ["find_convention"]

# Those with unmistakable markers first; netCDF's are in files of other conventions too.
_CONVENTIONS: tuple[Convention, ...] = (
    find_matlab,
    find_anndata,
    find_tenx,
    find_loom,
    find_cooler,
    find_nwb,
    find_nexus,
    find_sleap,
    find_pandas,
    find_minc,
    find_netcdf,
)


def find_convention(tree: Tree, handle: h5py.Group, options: Options) -> Found | None:
    """Return what the first convention that recognises the file makes of it; None if none does, or none is wanted."""
    if options.layout != "auto":
        return None
    for convention in _CONVENTIONS:
        found = convention(tree, handle, options)
        if found is not None:
            return found
    return None
