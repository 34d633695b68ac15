"""Which convention a file follows: the first one whose markers it has."""

from __future__ import annotations

import h5py

from ..describe.options import Options
from ..describe.tree import Tree
from ..errors import DamagedFileError, H5Error, OptionError
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
from .the_well import find_the_well

__all__ = ["find_convention"]

# What the HDF5 library raises through h5py when bytes are not what they should be.
_LIBRARY_ERRORS = (OSError, RuntimeError, KeyError, ValueError)
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
    find_the_well,
    find_pandas,
    find_minc,
    find_netcdf,
)
_WITH_DIMENSIONS: tuple[Convention, ...] = (find_matlab, find_minc, find_netcdf)


def find_convention(tree: Tree, handle: h5py.Group, options: Options) -> Found | None:
    """Return what the first convention that recognises the file makes of it; None if none does, or none is wanted."""
    if options.layout != "auto":
        return None
    for convention in _CONVENTIONS:
        try:
            found = convention(tree, handle, options)
        except H5Error:
            raise
        except _LIBRARY_ERRORS as error:
            raise DamagedFileError(
                f"the file's attributes or small datasets cannot be read: {error}",
                file=tree.file,
                hint="the file may be corrupt; layout='raw' looks at its datasets alone",
            ) from error
        if found is not None:
            if options.rows is not None and convention not in _WITH_DIMENSIONS:
                raise _without_dimensions(options.rows, f"the dimensions of {found.name} files have no names", tree)
            return found
    if options.rows is not None:
        raise _without_dimensions(options.rows, "the file names no dimensions", tree)
    return None


def _without_dimensions(rows: str, problem: str, tree: Tree) -> OptionError:
    return OptionError(
        f"rows={rows!r}: {problem}",
        file=tree.file,
        hint="rows= is for netCDF, MINC and MATLAB files; axis= chooses an axis of others",
    )
