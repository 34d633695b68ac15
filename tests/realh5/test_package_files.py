"""HDF5 files that development packages ship with their own tests: every table reads as h5py reads it, in both modes."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import h5py
import pytest

import hf_h5
from hf_h5.errors import FilterError, H5Error, LayoutError, RefusedError
from tests.realh5.parity import assert_modes_agree, assert_reads_as_h5py, quiet

# Package, folder in it, and files.
FILES = [
    (
        "h5py",
        "tests/data_files",
        ["compound-dtype-complex.h5", "vlen_string_dset.h5", "vlen_string_dset_utc.h5", "vlen_string_s390x.h5"],
    ),
    (
        "nibabel",
        "tests/data",
        ["minc2-4d-d.mnc", "minc2-no-att.mnc", "minc2_1_scale.mnc", "minc2_4d.mnc", "minc2_baddim.mnc", "small.mnc"],
    ),
    ("pvlib", "data", ["Altitude.h5"]),
    ("tables", "nodes/tests", ["test_filenode_v1.h5"]),
    (
        "tables",
        "tests",
        [
            "array_mdatom.h5",
            "attr-u16.h5",
            "b2nd-no-chunkshape.h5",
            "blosc_bigendian.h5",
            "bug-idx.h5",
            "ex-noattr.h5",
            "flavored_vlarrays-format1.6.h5",
            "float.h5",
            "idx-std-1.x.h5",
            "indexes_2_0.h5",
            "indexes_2_1.h5",
            "itemsize.h5",
            "matlab_file.mat",
            "nested-type-with-gaps.h5",
            "non-chunked-table.h5",
            "oldflavor_numeric.h5",
            "out_of_order_types.h5",
            "python2.h5",
            "python3.h5",
            "scalar.h5",
            "slink.h5",
            "smpl_SDSextendible.h5",
            "smpl_compound_chunked.h5",
            "smpl_enum.h5",
            "smpl_f64be.h5",
            "smpl_f64le.h5",
            "smpl_i32be.h5",
            "smpl_i32le.h5",
            "smpl_i64be.h5",
            "smpl_i64le.h5",
            "test_ref_array1.mat",
            "test_ref_array2.mat",
            "test_szip.h5",
            "time-table-vlarray-1_x.h5",
            "times-nested-be.h5",
            "vlunicode_endian.h5",
            "zerodim-attrs-1.3.h5",
            "zerodim-attrs-1.4.h5",
        ],
    ),
]
# Why, and a part of the message.
REFUSED: dict[str, tuple[type[H5Error], str]] = {
    "elink.h5": (RefusedError, "elink2.h5"),
    "elink2.h5": (LayoutError, "no rows"),
    "issue_368.h5": (LayoutError, "no rows"),
    "issue_560.h5": (LayoutError, "no rows"),
    "vlstr_attr.h5": (LayoutError, "no rows"),
    "Tables_lzo1.h5": (FilterError, "lzo"),
    "Tables_lzo2_shuffle.h5": (FilterError, "lzo"),
}
EVERY = [(package, folder, name) for package, folder, names in FILES for name in names]
# One row of scalars, compounds of fixed strings, times, strings of code points, MATLAB's cells: h5py says
# nothing that could be compared row by row.
NOTHING_TO_COMPARE = {
    "out_of_order_types.h5",
    "scalar.h5",
    "test_ref_array1.mat",
    "test_ref_array2.mat",
    "time-table-vlarray-1_x.h5",
    "times-nested-be.h5",
    "vlunicode_endian.h5",
    "zerodim-attrs-1.3.h5",
    "zerodim-attrs-1.4.h5",
}


def shipped(package: str, folder: str, name: str) -> Path:
    """Return a file of a package, or skip where the package lacks it."""
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        pytest.skip(f"{package} is not installed")
    file = Path(found.origin).parent / folder / name
    if not file.is_file():
        pytest.skip(f"this version of {package} has no {folder}/{name}")
    return file


@pytest.mark.parametrize(("package", "folder", "name"), EVERY, ids=[f"{each[0]}-{each[2]}" for each in EVERY])
def test_every_table_reads_as_h5py_reads_it(package: str, folder: str, name: str) -> None:
    file = shipped(package, folder, name)
    with quiet():
        tables = hf_h5.describe(file, splits=False).tables
        compared = sum(assert_reads_as_h5py(file, table=table, splits=False) for table in tables)
    assert tables
    assert compared or name in NOTHING_TO_COMPARE


@pytest.mark.parametrize(("package", "folder", "name"), EVERY, ids=[f"{each[0]}-{each[2]}" for each in EVERY])
def test_both_modes_agree_in_every_format(package: str, folder: str, name: str, tmp_path: Path) -> None:
    file = shipped(package, folder, name)
    with quiet():
        assert assert_modes_agree(file, tmp_path)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_refused_by_name(name: str) -> None:
    error_class, words = REFUSED[name]
    file = shipped("tables", "tests", name)
    with pytest.raises(error_class) as caught, quiet(), hf_h5.open_table(file) as reader:
        reader.read(slice(None))
    assert words in str(caught.value)
    assert caught.value.file == str(file)


def test_the_grid_of_pvlib_is_the_one_that_h5py_reads() -> None:
    file = shipped("pvlib", "data", "Altitude.h5")
    with h5py.File(file) as handle, hf_h5.H5TorchView(file) as view:
        assert view.with_format("torch", dtype=None)[1000]["Altitude"].tolist() == handle["Altitude"][1000].tolist()
