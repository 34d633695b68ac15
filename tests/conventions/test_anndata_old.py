"""AnnData's encodings of former versions, written by hand, and MuData."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.sparse

import hf_h5

pytestmark = pytest.mark.filterwarnings("ignore::hf_h5.errors.H5Warning")

COUNTS = scipy.sparse.csr_matrix(np.array([[0, 1, 2], [0, 0, 0], [3, 0, 0], [0, 0, 4]], "f4"))


def write_sparse(group: h5py.Group, attrs: dict[str, Any], matrix: Any = COUNTS) -> None:
    group.attrs.update(attrs)
    for name in ("data", "indices", "indptr"):
        group[name] = getattr(matrix, name)


def write_0_6(file: Path) -> Path:
    """Compound frames, categories among the metadata, dotted names."""
    obs = np.zeros(4, [("index", "S4"), ("n", "i8"), ("kind", "i1"), ("one", "i1")])
    obs["index"], obs["n"], obs["kind"] = [b"a", b"b", b"c", b"d"], np.arange(4), [1, -1, 0, 1]
    var = np.zeros(3, [("index", "S2"), ("used", "?")])
    var["index"] = [b"g0", b"g1", b"g2"]
    side = np.zeros(4, [("X_pca", "f4", (2,))])
    side["X_pca"] = np.arange(8).reshape(4, 2)
    with h5py.File(file, "w") as out:
        out["obs"], out["var"], out["raw.var"], out["obsm"] = obs, var, var, side
        attrs = {"h5sparse_format": "csr", "h5sparse_shape": COUNTS.shape}
        write_sparse(out.create_group("X"), attrs)
        write_sparse(out.create_group("raw.X"), attrs)
        neighbours = scipy.sparse.csr_matrix(np.eye(4))
        write_sparse(
            out.create_group("uns/neighbors/distances"), {**attrs, "h5sparse_shape": neighbours.shape}, neighbours
        )
        out["uns/kind_categories"] = np.array([b"B", b"T"])
        out["uns/one_categories"] = np.bytes_(b"only")
        out["uns/note"] = 3
    return file


def test_compound_frames_have_their_categories(tmp_path: Path) -> None:
    file = write_0_6(tmp_path / "x.h5ad")
    loaded = hf_h5.load_dataset(file, dense=True, split="train", cache_dir=str(tmp_path))
    assert loaded.column_names == ["obs_names", "n", "kind", "one", "X", "raw/X", "obsm/X_pca"]
    assert loaded["obs_names"][:] == ["a", "b", "c", "d"]
    assert loaded["kind"][:] == [1, -1, 0, 1]
    assert (loaded.features["kind"].names, loaded.features["one"].names) == (["B", "T"], ["only"])
    np.testing.assert_array_equal(loaded.with_format("numpy")["X"][:], COUNTS.toarray())
    np.testing.assert_array_equal(loaded.with_format("numpy")["obsm/X_pca"][:], np.arange(8).reshape(4, 2))
    schema = hf_h5.describe(file)
    assert list(schema.tables) == ["/obs", "/var", "/raw/var", "/obsp"]
    assert schema.metadata["/uns/note"] == 3


def write_0_7(group: h5py.Group, *, attrs: bool = True) -> None:
    """Frames whose categorical columns lead to ``__categories`` by a reference."""
    if attrs:
        group.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
    for name, count in (("obs", 4), ("var", 3)):
        frame = group.create_group(name)
        frame.attrs.update({"encoding-type": "dataframe", "encoding-version": "0.1.0", "_index": "names"})
        frame.attrs["column-order"] = np.array(["kind"] if name == "obs" else [], h5py.string_dtype())
        frame["names"] = [f"{name}{number}" for number in range(count)]
    group["obs/kind"] = np.array([1, -1, 0, 1], "i1")
    group["obs/__categories/kind"] = ["B", "T"]
    group["obs/kind"].attrs["categories"] = group["obs/__categories/kind"].ref
    attributes = {"encoding-type": "csc_matrix", "encoding-version": "0.1.0", "shape": COUNTS.shape}
    write_sparse(group.create_group("X"), attributes, COUNTS.tocsc())


@pytest.mark.parametrize("attrs", [True, False])
def test_categories_behind_references_are_classes(tmp_path: Path, attrs: bool) -> None:
    with h5py.File(tmp_path / "x.h5ad", "w") as out:
        write_0_7(out, attrs=attrs)
    with hf_h5.H5TorchView(tmp_path / "x.h5ad", dense=True) as view:
        assert view.column_names == ["obs_names", "kind", "X"]
        assert view.features["kind"].names == ["B", "T"]
        assert view[:]["kind"].tolist() == [1, -1, 0, 1]
        np.testing.assert_array_equal(view[[3, 0]]["X"].numpy(), COUNTS.toarray()[[3, 0]])


def test_each_modality_of_a_mudata_file_has_its_tables(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5mu", "w") as out:
        for name in ("atac", "rna"):
            write_0_7(out.create_group(f"mod/{name}"))
        out["mod"].attrs["mod-order"] = np.array(["rna", "atac"], h5py.string_dtype())
        write_0_7(out)
        del out["X"]
        out.attrs["encoding-type"] = "MuData"
    schema = hf_h5.describe(tmp_path / "x.h5mu")
    assert schema.convention == "MuData"
    assert schema.default == "/mod/rna/obs"
    assert {"/mod/rna/var", "/mod/atac/obs", "/mod/atac/var", "/obs", "/var"} < set(schema.tables)
    with hf_h5.open_table(tmp_path / "x.h5mu", table="/mod/atac/obs", dense=True) as table:
        np.testing.assert_array_equal(table.read([2])["X"], COUNTS.toarray()[[2]])


def test_frames_called_obs_and_var_alone_make_no_anndata(tmp_path: Path) -> None:
    table = np.zeros(4, [("a", "i4"), ("b", "f4")])
    with h5py.File(tmp_path / "x.h5", "w") as out:
        out["obs"], out["var"] = table, table
    assert hf_h5.describe(tmp_path / "x.h5").convention is None
