"""10x, Loom and Cooler files, against what wrote them."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.sparse

import hf_h5
from hf_h5.errors import MismatchError

REAL = Path(__file__).parents[3] / "shared" / "realh5"

pytestmark = pytest.mark.filterwarnings("ignore::hf_h5.errors.H5Warning")


def counts(n_cells: int = 20, n_genes: int = 9, seed: int = 0) -> Any:
    return (scipy.sparse.random(n_cells, n_genes, 0.3, "csr", rng=np.random.default_rng(seed)) * 100).astype("i4")


def write_matrix(group: h5py.Group, matrix: Any) -> None:
    """As Cell Ranger does: genes by cells, column by column."""
    by_columns = matrix.T.tocsc()
    group["shape"] = np.array(by_columns.shape, "i4")
    group["barcodes"] = np.array([f"AAAC{i}-1".encode() for i in range(matrix.shape[0])])
    for name in ("data", "indices", "indptr"):
        values = getattr(by_columns, name)
        group.create_dataset(name, data=values.astype("i8"), chunks=(80_000,), maxshape=(None,), compression="gzip")


def write_tenx_3(file: Path, matrix: Any, ids: list[str] | None = None) -> Path:
    n_genes = matrix.shape[1]
    with h5py.File(file, "w") as out:
        out.attrs["filetype"] = "matrix"
        write_matrix(out.create_group("matrix"), matrix)
        features = out.create_group("matrix/features")
        features["id"] = np.array([each.encode() for each in ids or [f"ENSG{i}" for i in range(n_genes)]])
        features["name"] = np.array([f"G{i}".encode() for i in range(n_genes)])
        features["feature_type"] = np.array([b"Gene Expression"] * n_genes)
        features["_all_tag_keys"] = np.array([b"genome"])
    return file


def expect_same(found: Any, expected: Any) -> None:
    np.testing.assert_array_equal(np.asarray(found), expected.toarray())


@pytest.mark.parametrize("route", ["direct", "h5py"])
def test_a_barcode_is_a_row_and_its_counts_are_a_sparse_one(tmp_path: Path, route: str) -> None:
    matrix = counts()
    file = write_tenx_3(tmp_path / "x.h5", matrix)
    with hf_h5.open_table(file, dense=True, route=route) as table:
        assert list(table.schema.columns) == ["barcodes", "X"]
        expect_same(table.read([3, 1, 3])["X"], matrix[[3, 1, 3]])
    loaded = hf_h5.load_dataset(file, split="train", cache_dir=str(tmp_path))
    assert loaded.column_names == ["barcodes", "X/indices", "X/values"]
    assert loaded[5]["X/values"] == matrix[5].data.tolist()
    genes = hf_h5.load_dataset(file, table="/matrix/features", split="train", cache_dir=str(tmp_path))
    assert genes["name"][:] == [f"G{i}" for i in range(9)]
    assert hf_h5.describe(file).convention == "10x matrix, Cell Ranger 3 layout"


def test_each_genome_of_the_old_layout_is_a_table(tmp_path: Path) -> None:
    small, large = counts(8, 5), counts(30, 7, seed=1)
    with h5py.File(tmp_path / "x.h5", "w") as out:
        for name, matrix in (("GRCh38", small), ("mm10", large)):
            group = out.create_group(name)
            write_matrix(group, matrix)
            group["genes"] = np.array([f"ENSG{i}".encode() for i in range(matrix.shape[1])])
            group["gene_names"] = np.array([f"G{i}".encode() for i in range(matrix.shape[1])])
    schema = hf_h5.describe(tmp_path / "x.h5")
    assert list(schema.tables) == ["/mm10", "/GRCh38", "/mm10/genes", "/GRCh38/genes"]
    assert list(schema.tables["/mm10/genes"].columns) == ["genes", "gene_names"]
    with hf_h5.open_table(tmp_path / "x.h5", table="GRCh38", dense=True) as table:
        expect_same(table.read(slice(None))["X"], small)


def test_matrices_of_other_genes_are_not_joined(tmp_path: Path) -> None:
    one = write_tenx_3(tmp_path / "1.h5", counts())
    two = write_tenx_3(tmp_path / "2.h5", counts(), [f"ENSG{i}" for i in reversed(range(9))])
    with pytest.raises(MismatchError, match="other names"):
        hf_h5.open_table([one, two])
    with hf_h5.open_table([one, one], dense=True) as table:
        assert table.read([0, 20])["X"].shape == (2, 9)


def test_a_real_10x_matrix(tmp_path: Path) -> None:
    file = REAL / "tenx_v3_matrix.h5"
    if not file.exists():
        pytest.skip(f"{file} is absent")
    with h5py.File(file) as handle:
        parts = [handle["matrix"][name][()] for name in ("data", "indices", "indptr", "shape", "barcodes")]
    expected = scipy.sparse.csc_matrix(tuple(parts[:3]), shape=parts[3]).T.tocsr()
    loaded = hf_h5.load_dataset(file, dense=True, split="train", cache_dir=str(tmp_path))
    expect_same(loaded.with_format("numpy")["X"][:], expected)
    assert loaded["barcodes"][:] == [name.decode() for name in parts[4]]
    with hf_h5.H5TorchView(file, dense=True) as view:
        expect_same(view[[7, 0, 7]]["X"], expected[[7, 0, 7]])


def write_loom(file: Path, values: np.ndarray) -> Path:
    n_genes, n_cells = values.shape
    with h5py.File(file, "w") as out:
        out.attrs["LOOM_SPEC_VERSION"] = "2.0.1"
        out.create_dataset("matrix", data=values, chunks=(4, 4), compression="gzip")
        out.create_dataset("layers/spliced", data=values * 2, chunks=(4, 4))
        out["col_attrs/CellID"] = [f"c{i}" for i in range(n_cells)]
        out["col_attrs/tsne"] = np.arange(n_cells * 2.0).reshape(n_cells, 2)
        out["col_attrs/matrix"] = np.arange(n_cells)
        out["row_attrs/Gene"] = [f"G{i}" for i in range(n_genes)]
        for name in ("a", "b", "w"):
            out[f"col_graphs/KNN/{name}"] = np.arange(1000)
    return file


def test_a_cell_of_a_loom_file_is_a_row(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((6, 9)).astype("f4")
    file = write_loom(tmp_path / "x.loom", values)
    loaded = hf_h5.load_dataset(file, split="train", cache_dir=str(tmp_path))
    assert loaded.column_names == ["CellID", "col_attrs/matrix", "tsne", "matrix", "layers/spliced"]
    np.testing.assert_array_equal(loaded.with_format("numpy")["matrix"][:], values.T)
    with hf_h5.H5TorchView(file, columns=["matrix", "layers/*"]) as view:
        np.testing.assert_array_equal(view[[8, 2]]["layers/spliced"].numpy(), values.T[[8, 2]] * 2)
    schema = hf_h5.describe(file)
    assert schema.convention == "Loom 2.0.1"
    assert {"/col_attrs", "/row_attrs"} < set(schema.tables)
    assert schema.tables["/row_attrs"].num_rows == 6


def test_what_loompy_writes(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loompy = pytest.importorskip("loompy")
        values = np.random.default_rng(0).integers(0, 9, (7, 12)).astype("f4")
        file = str(tmp_path / "x.loom")
        cells = {"CellID": np.array([f"c{i}" for i in range(12)]), "Cluster": np.arange(12) % 3}
        loompy.create(file, {"": values, "spliced": values + 1}, {"Gene": np.array(list("abcdefg"))}, cells)
        with loompy.connect(file, "r") as opened:
            expected = opened[:, :].T
    loaded = hf_h5.load_dataset(file, split="train", cache_dir=str(tmp_path)).with_format("numpy")
    np.testing.assert_array_equal(loaded["matrix"][:], expected)
    np.testing.assert_array_equal(loaded["layers/spliced"][:], expected + 1)
    assert loaded["Cluster"][:].tolist() == cells["Cluster"].tolist()
    assert loaded["CellID"][:].tolist() == cells["CellID"].tolist()


def write_cooler(group: h5py.Group, n_bins: int, n_pixels: int) -> None:
    names = h5py.enum_dtype({"chr1": 0, "chr2": 1}, "i4")
    group["chroms/name"] = np.array([b"chr1", b"chr2"])
    group["chroms/length"] = np.array([1000, 500], "i4")
    group.create_dataset("bins/chrom", data=(np.arange(n_bins) % 2).astype("i4"), dtype=names)
    group["bins/start"] = np.arange(n_bins) * 100
    group["bins/weight"] = np.full(n_bins, np.nan)
    for name in ("bin1_id", "bin2_id", "count"):
        group.create_dataset(f"pixels/{name}", data=np.arange(n_pixels), compression="gzip")
    group["indexes/bin1_offset"] = np.arange(n_bins + 1)
    group.attrs["format"] = "HDF5::Cooler"
    group.attrs["format-version"] = 3


def test_pixels_bins_and_chromosomes_are_tables(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.cool", "w") as out:
        write_cooler(out, 8, 40)
    schema = hf_h5.describe(tmp_path / "x.cool")
    assert (schema.convention, list(schema.tables)) == ("Cooler 3", ["/pixels", "/bins", "/chroms"])
    assert [note.path for note in schema.notes] == ["/indexes"]
    loaded = hf_h5.load_dataset(tmp_path / "x.cool", split="train", cache_dir=str(tmp_path))
    assert loaded[39] == {"bin1_id": 39, "bin2_id": 39, "count": 39}
    bins = hf_h5.load_dataset(tmp_path / "x.cool", table="bins", split="train", cache_dir=str(tmp_path))
    assert bins.features["chrom"].names == ["chr1", "chr2"]


@pytest.mark.parametrize("n_names", [2, 10_001])
def test_numbers_of_chromosomes_are_their_names(tmp_path: Path, n_names: int) -> None:
    with h5py.File(tmp_path / "x.cool", "w") as out:
        write_cooler(out, 8, 40)
        del out.attrs["format"], out["bins/chrom"], out["chroms/name"], out["chroms/length"]
        out.attrs["format-url"] = "https://github.com/mirnylab/cooler"
        out["bins/chrom"] = np.arange(8, dtype="i4") % 2
        out["chroms/name"] = np.array([f"chr{i}".encode() for i in range(n_names)])
    with hf_h5.H5TorchView(tmp_path / "x.cool", table="bins") as view:
        found = view.with_format(None)["chrom"][:]
        names = view.features["chrom"].int2str(found) if n_names == 2 else found
    assert names == ["chr0", "chr1"] * 4


def test_each_resolution_has_its_tables_the_finest_first(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.mcool", "w") as out:
        for resolution in (1000, 200):
            write_cooler(out.create_group(f"resolutions/{resolution}"), 8, 30)
        out.attrs["format"], out.attrs["format-version"] = "HDF5::MCOOL", 2
    schema = hf_h5.describe(tmp_path / "x.mcool")
    assert list(schema.tables)[:3] == ["/resolutions/200/pixels", "/resolutions/1000/pixels", "/resolutions/200/bins"]
    assert schema.default == "/resolutions/200/pixels"


def test_what_cooler_writes(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cooler = pytest.importorskip("cooler")
        import pandas as pd

        bins = cooler.binnify(pd.Series({"chr1": 1000, "chr2": 500}), 100)
        pairs = [(i, j) for i in range(len(bins)) for j in range(i, len(bins)) if (i + j) % 3 == 0]
        pixels = pd.DataFrame(pairs, columns=["bin1_id", "bin2_id"]).assign(count=np.arange(len(pairs)))
        cooler.create_cooler(str(tmp_path / "x.cool"), bins, pixels)
        opened = cooler.Cooler(str(tmp_path / "x.cool"))
        expected, expected_bins = opened.pixels()[:], opened.bins()[:]
    loaded = hf_h5.load_dataset(tmp_path / "x.cool", split="train", cache_dir=str(tmp_path))
    assert {name: loaded[name][:] for name in loaded.column_names} == expected.to_dict("list")
    found = hf_h5.load_dataset(tmp_path / "x.cool", table="bins", split="train", cache_dir=str(tmp_path))
    assert [found.features["chrom"].int2str(code) for code in found["chrom"]] == expected_bins["chrom"].tolist()
    assert found["end"][:] == expected_bins["end"].tolist()
