"""AnnData's files, of all its encodings, against AnnData itself."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hf_h5
from hf_h5.errors import H5Warning, MismatchError

anndata = pytest.importorskip("anndata")
from tests.conventions.anndata_oracle import expect_same_as_anndata  # noqa: E402  # after the skip
from tests.conventions.anndata_tables import read_with_anndata  # noqa: E402  # after the skip

REAL = Path(__file__).parents[3] / "shared" / "realh5"

pytestmark = [
    pytest.mark.filterwarnings("ignore::hf_h5.errors.H5Warning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@pytest.fixture(autouse=True)
def _strings_that_anndata_can_write() -> Iterator[None]:
    """The last version for Python 3.11 does not know the strings of pandas 3; later ones write nothing else."""
    knows = int(anndata.__version__.split(".")[1]) > 12
    with contextlib.nullcontext() if knows else pd.option_context("future.infer_string", False):
        yield


def make_adata(n_obs: int = 30, n_vars: int = 12, X: Any = "csr", seed: int = 0) -> Any:
    """An object with one of everything that a file can hold."""
    random = np.random.default_rng(seed)
    counts = scipy.sparse.random(n_obs, n_vars, 0.3, "csr", "f4", rng=random)
    obs = pd.DataFrame(
        {
            "cell_type": pd.Categorical(random.choice(["T", "B", "NK"], n_obs), categories=["NK", "T", "B", "mast"]),
            "stage": pd.Categorical.from_codes(random.integers(-1, 2, n_obs), ["G1", "S"], ordered=True),
            "cluster": pd.Categorical.from_codes(random.integers(-1, 3, n_obs), [2, 10, 7]),
            "n_genes": random.integers(0, 100, n_obs),
            "score": random.random(n_obs).astype("f4"),
            "is_doublet": random.random(n_obs) < 0.1,
            "donor": [f"dönor {i}" for i in range(n_obs)],
            "age": pd.array([None if i % 4 == 0 else i for i in range(n_obs)], "Int32"),
            "treated": pd.array([None if i % 5 == 0 else i % 2 == 0 for i in range(n_obs)], "boolean"),
            "X": np.arange(n_obs),
        },
        index=[f"cell-{i}" for i in range(n_obs)],
    )
    var = pd.DataFrame(
        {"symbol": [f"G{i}" for i in range(n_vars)], "mt": np.arange(n_vars) % 5 == 0},
        index=[f"ENSG{i}" for i in range(n_vars)],
    )
    matrix = {"csr": counts, "csc": counts.tocsc(), "dense": counts.toarray(), None: None}[X]
    adata = anndata.AnnData(matrix, obs=obs, var=var)
    adata.layers["counts"] = (counts * 100).astype("i4")
    adata.layers["scaled"] = counts.toarray().astype("f8")
    adata.layers["turned"] = counts.tocsc()
    adata.obsm["X_pca"] = random.random((n_obs, 5))
    adata.obsm["sparse"] = scipy.sparse.random(n_obs, 40, 0.1, "csr", rng=random)
    adata.obsm["frame"] = pd.DataFrame({"a": np.arange(n_obs), "b": obs["cell_type"].values}, index=obs.index)
    adata.varm["PCs"] = random.random((n_vars, 5))
    adata.obsp["distances"] = scipy.sparse.random(n_obs, n_obs, 0.1, "csr", rng=random)
    adata.varp["links"] = random.random((n_vars, n_vars))
    adata.uns["note"] = "written for a test"
    adata.uns["colors"] = np.array(["red", "blue"])
    return adata


def write(adata: Any, file: Path, **options: Any) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        adata.write_h5ad(file, **options)
    return file


@pytest.mark.parametrize("compression", [None, "gzip"])
@pytest.mark.parametrize("X", ["csr", "csc", "dense", None])
def test_all_columns_are_those_that_anndata_reads(tmp_path: Path, X: str | None, compression: str | None) -> None:
    adata = make_adata(X=X)
    if X is not None:
        adata.raw = adata.copy()
    expect_same_as_anndata(write(adata, tmp_path / "x.h5ad", compression=compression), tmp_path)


VALUES = {
    "numbers": st.sampled_from(["i1", "u2", "i4", "i8", "u8", "f2", "f4", "f8", "?"]).flatmap(
        lambda dtype: st.lists(st.integers(0, 100), min_size=5, max_size=5).map(lambda each: np.array(each, dtype))
    ),
    "texts": st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=5, max_size=5).map(
        lambda each: np.array(each, object)
    ),
    "classes": st.lists(st.sampled_from(["a", "ü", "", "1", None]), min_size=5, max_size=5).map(pd.Categorical),
    "masked": st.lists(st.sampled_from([None, 0, 1, 7]), min_size=5, max_size=5).map(
        lambda each: pd.array(each, "Int64")
    ),
    "flags": st.lists(st.sampled_from([None, True, False]), min_size=5, max_size=5).map(
        lambda each: pd.array(each, "boolean")
    ),
}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(columns=st.fixed_dictionaries(VALUES), rows=st.permutations(range(5)), density=st.sampled_from([0.0, 0.4, 1.0]))
def test_any_frame_and_matrix_come_back_in_any_order(tmp_path: Path, columns, rows, density) -> None:
    counts = scipy.sparse.random(5, 7, density, "csr", "f4", rng=np.random.default_rng(0))
    adata = anndata.AnnData(counts, obs=pd.DataFrame(columns, index=[f"c{i}" for i in range(5)]))
    file = write(adata, tmp_path / "x.h5ad")
    expected = read_with_anndata(file)
    with hf_h5.open_table(file, dense=True) as table:
        found = table.read(rows)
    np.testing.assert_array_equal(found["X"], expected.X.toarray()[rows])
    for name in columns:
        values = expected.obs[name].iloc[rows]
        if isinstance(values.dtype, pd.CategoricalDtype):
            assert found[name].tolist() == values.cat.codes.tolist()
        else:
            assert found[name].tolist() == [None if value is pd.NA else value for value in values.tolist()]


def test_tables_without_rows_or_variables_have_their_columns(tmp_path: Path) -> None:
    for number, shape in enumerate(((0, 3), (3, 0))):
        adata = anndata.AnnData(scipy.sparse.csr_matrix(shape, dtype="f4"))
        file = write(adata, tmp_path / f"{number}.h5ad")
        for dense in (True, False):
            loaded = hf_h5.load_dataset(file, split="train", dense=dense, cache_dir=str(tmp_path))
            assert len(loaded) == shape[0]
            assert loaded.column_names == ["obs_names", "X"] if dense else ["obs_names", "X/indices", "X/values"]
            with hf_h5.H5TorchView(file, dense=dense).with_format(None) as view:
                assert view[:] == loaded[:]


def test_a_frame_without_its_index_has_its_columns(tmp_path: Path) -> None:
    file = write(make_adata(), tmp_path / "x.h5ad")
    with h5py.File(file, "r+") as handle:
        del handle["obs"][handle["obs"].attrs["_index"]]
    table = hf_h5.describe(file).tables["/obs"]
    assert table.num_rows == 30
    assert {"n_genes", "X/values"} < set(table.columns)


@pytest.mark.parametrize("name", ["pbmc68k_reduced", "anndata_0_7_8"])
def test_real_files_are_those_that_anndata_reads(tmp_path: Path, name: str) -> None:
    file = REAL / f"{name}.h5ad"
    if not file.exists():
        pytest.skip(f"{file} is absent")
    expect_same_as_anndata(file, tmp_path)


def test_sparse_rows_are_lists_unless_asked_for_dense(tmp_path: Path) -> None:
    adata = make_adata()
    file = write(adata, tmp_path / "x.h5ad")
    loaded = hf_h5.load_dataset(file, split="train", cache_dir=str(tmp_path))
    for row, indices, values in zip(adata.X, loaded["X/indices"], loaded["X/values"], strict=True):
        assert (indices, values) == (row.indices.tolist(), row.data.tolist())
    with hf_h5.H5TorchView(file, nested=True) as view:
        row = view[3]
        assert row["X"]["values"].tolist() == adata.X[3].data.tolist()
        assert row["cell_type"].item() == adata.obs["cell_type"].cat.codes.iloc[3]


def test_names_that_meet_stand_below_obs(tmp_path: Path) -> None:
    adata = anndata.AnnData(np.zeros((3, 2), "f4"), obs=pd.DataFrame({"obs_names": [1, 2, 3]}, index=list("abc")))
    with hf_h5.open_table(write(adata, tmp_path / "x.h5ad")) as table:
        found = table.read(slice(None), ["obs_names", "obs/obs_names"])
    assert found["obs_names"].tolist() == ["a", "b", "c"]
    assert found["obs/obs_names"].tolist() == [1, 2, 3]


def test_strings_without_a_value_are_none(tmp_path: Path) -> None:
    values = pd.array(["a", None, "c"], pd.StringDtype("python"))
    adata = anndata.AnnData(np.zeros((3, 2), "f4"), obs=pd.DataFrame({"s": values}, index=list("abc")))
    with anndata.settings.override(allow_write_nullable_strings=True):
        file = write(adata, tmp_path / "x.h5ad")
    expect_same_as_anndata(file, tmp_path)
    with h5py.File(file, "r+") as handle, anndata.settings.override(allow_write_nullable_strings=True):
        anndata.io.write_elem(handle["obs"], "s", values)
    expect_same_as_anndata(file, tmp_path)
    with hf_h5.H5TorchView(file).with_format(None) as view:
        assert view["s"][:] == ["a", None, "c"]


def test_names_of_rows_are_texts_also_where_numbers_are_stored(tmp_path: Path) -> None:
    file = write(anndata.AnnData(np.zeros((3, 2), "f4")), tmp_path / "x.h5ad")
    with h5py.File(file, "r+") as handle:
        index = handle["obs"].attrs["_index"]
        del handle["obs"][index]
        handle["obs"][index] = np.array([7, 8, 9])
        handle["obs"][index].attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
    expect_same_as_anndata(file, tmp_path)
    with hf_h5.open_table(file) as table:
        assert table.read([2, 0])["obs_names"].tolist() == ["9", "7"]


def test_very_many_categories_are_their_values(tmp_path: Path) -> None:
    n_names = 10_001
    codes = np.arange(n_names) - 1
    adata = anndata.AnnData(
        np.zeros((n_names, 1), "f4"),
        obs=pd.DataFrame({"barcode": pd.Categorical.from_codes(codes, [f"b{i}" for i in range(n_names)])}),
    )
    with hf_h5.open_table(write(adata, tmp_path / "x.h5ad")) as table:
        assert table.read([0, 1, 10_000])["barcode"].tolist() == [None, "b0", "b9999"]


def test_metadata_and_tables_are_named_once(tmp_path: Path) -> None:
    file = write(make_adata(), tmp_path / "x.h5ad")
    with pytest.warns(H5Warning, match="table='/var'"):
        hf_h5.open_table(file).close()
    schema = hf_h5.describe(file)
    assert schema.convention == "AnnData 0.1.0"
    assert schema.metadata["/uns/note"] == "written for a test"
    assert schema.metadata["/uns/colors"] == ["red", "blue"]
    assert schema.notes == ()
    assert "CSR matrix of 30 x 12" in str(schema)


def test_what_cannot_be_read_is_named_and_the_rest_loads(tmp_path: Path) -> None:
    file = write(make_adata(), tmp_path / "x.h5ad")
    with h5py.File(file, "r+") as handle:
        group = handle.create_group("obsm/awkward")
        group.attrs["encoding-type"] = "awkward-array"
        handle["layers/short"] = np.zeros((7, 12))
        handle["obs/score"][:2] = 0
        del handle["obs/donor"]
        handle["obs/donor"] = np.arange(4)
        handle["more/big"] = np.zeros((50, 10))
    schema = hf_h5.describe(file)
    notes = {note.path: note.why for note in schema.notes}
    assert notes["/obsm/awkward"] == "its encoding 'awkward-array' is not read"
    assert "has 7 rows, not 30" in notes["/layers/short"]
    assert "has 4 rows, not 30" in notes["/obs/donor"]
    assert "/more" in schema.tables
    assert "n_genes" in schema.tables["/obs"].columns


def test_a_large_matrix_by_columns_is_named_with_its_budget(tmp_path: Path) -> None:
    file = write(make_adata(X="csc"), tmp_path / "x.h5ad")
    schema = hf_h5.describe(file, limits={"turned_bytes": 100})
    (note,) = [note for note in schema.notes if note.path == "/X"]
    assert "CSC" in note.why
    assert "turned_bytes" in str(note.option)


def test_files_of_the_same_variables_follow_each_other_with_all_their_classes(tmp_path: Path) -> None:
    one, two = make_adata(seed=1), make_adata(seed=2)
    two.obs["cell_type"] = two.obs["cell_type"].cat.rename_categories({"mast": "ILC"})
    files = [write(one, tmp_path / "1.h5ad"), write(two, tmp_path / "2.h5ad")]
    columns = ["obs_names", "cell_type", "X"]
    with hf_h5.H5TorchView(files, columns=columns, dense=True) as view:
        assert view.features["cell_type"].names == ["NK", "T", "B", "mast", "ILC"]
        both = np.concatenate([one.X.toarray(), two.X.toarray()])
        np.testing.assert_array_equal(view[:]["X"].numpy(), both)


@pytest.mark.parametrize("dense", [True, False])
def test_files_of_other_variables_are_not_taken_for_the_same(tmp_path: Path, dense: bool) -> None:
    one, two = make_adata(seed=1), make_adata(seed=2)
    two.var_names = two.var_names[::-1]
    files = [write(one, tmp_path / "1.h5ad"), write(two, tmp_path / "2.h5ad")]
    with pytest.raises(MismatchError, match=r"X.*names"):
        hf_h5.H5TorchView(files, columns=["X/*" if not dense else "X"], dense=dense)
    with hf_h5.H5TorchView(files, columns=["cell_type"]) as view:
        assert len(view) == 60


def test_folders_with_such_files_load_once_registered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    folder = tmp_path / "atlas"
    folder.mkdir()
    adata = make_adata()
    write(adata, folder / "x.h5ad")
    hf_h5.register(extensions=(".h5ad",))
    try:
        loaded = datasets.load_dataset(str(folder), split="train", cache_dir=str(tmp_path / "cache"))
    finally:
        hf_h5.unregister()
    assert loaded["obs_names"][:] == adata.obs_names.tolist()
    assert loaded.features["cell_type"].names == ["NK", "T", "B", "mast"]


def test_raw_turns_the_convention_off(tmp_path: Path) -> None:
    schema = hf_h5.describe(write(make_adata(), tmp_path / "x.h5ad"), layout="raw")
    assert schema.convention is None


def test_workers_and_the_loader_give_each_row_once(tmp_path: Path) -> None:
    from torch.utils.data import DataLoader

    adata = make_adata(n_obs=100)
    file = write(adata, tmp_path / "x.h5ad", compression="gzip")
    with hf_h5.H5TorchView(file, columns=["n_genes", "X"], dense=True) as view:
        expected = adata.X.toarray()
        workers = DataLoader(view, batch_size=16, num_workers=2, collate_fn=hf_h5.collate)
        np.testing.assert_array_equal(np.concatenate([batch["X"].numpy() for batch in workers]), expected)
        batches = list(view.loader(batch_size=16, shuffle=True, seed=1))
        found = np.concatenate([batch["X"].numpy() for batch in batches])
        np.testing.assert_array_equal(np.sort(found.sum(1)), np.sort(expected.sum(1)))
        assert len(found) == 100


def test_an_object_inside_a_group_is_read_from_there(tmp_path: Path) -> None:
    file = write(make_adata(), tmp_path / "x.h5ad")
    with h5py.File(tmp_path / "y.h5", "w") as out:
        with h5py.File(file) as source:
            source.copy(source["/"], out, "inner")
        with hf_h5.open_table(out["inner"], dense=True) as table:
            np.testing.assert_array_equal(table.read([4, 2])["X"], read_with_anndata(file).X.toarray()[[4, 2]])
            assert table.schema.columns["stage"].element.names == ("G1", "S")
