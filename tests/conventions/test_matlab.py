"""MATLAB 7.3 files: variables as MATLAB counts their rows, compared with what was written and with other readers."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import hf_h5
from hf_h5.errors import H5Warning, LayoutError, OptionError
from tests.conventions.matlab_files import Cell, Chars, MatlabFile, Object, Sparse, Structs
from tests.exact import assert_exact


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.mat"


def read(file: Path, **options: Any) -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", H5Warning)
        with hf_h5.open_table(file, **options) as reader:
            found: dict[str, Any] = reader.read(slice(None))
            # Any order, and repeats, by the same way.
            some = [len(reader) - 1, 0, 0]
            again = reader.read(some)
            for name, values in found.items():
                assert_same_rows([again[name][place] for place in range(3)], [values[row] for row in some])
            return found


def assert_same_rows(found: list[Any], expected: list[Any]) -> None:
    for one, other in zip(found, expected, strict=True):
        if isinstance(other, np.ndarray) and other.dtype.kind != "O":
            np.testing.assert_array_equal(one, other)
        else:
            assert np.array_equal(one, other) if isinstance(other, np.ndarray) else one == other or one is other


def write(file: Path, **variables: Any) -> Path:
    with MatlabFile(file) as out:
        for name, value in variables.items():
            out[name] = value
    return file


@given(
    array=arrays.arrays(
        st.sampled_from(["f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "b1"]),
        arrays.array_shapes(min_dims=2, max_dims=4, min_side=1, max_side=4),
    ),
    labels=st.booleans(),
)
@settings(max_examples=60)
def test_rows_of_an_array_are_those_of_its_first_dimension_that_is_not_one(
    tmp_path_factory: pytest.TempPathFactory, array: Any, labels: bool
) -> None:
    file = write(tmp_path_factory.mktemp("any") / "a.mat", x=array, **({"y": np.arange(7.0)} if labels else {}))
    if array.size == 1:
        value = array.item()
        found = hf_h5.describe(file).metadata["/x"] if labels else read(file)["x"][0]
        assert found == value or (found != found and value != value)
        return
    first = next(axis for axis, size in enumerate(array.shape) if size != 1)
    expected = array.reshape(array.shape[first:])
    expected = expected.reshape(len(expected)) if expected.size == len(expected) else expected
    found = read(file, table="/x" if labels and len(expected) != 7 else None, columns=["x"])["x"]
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


def test_vectors_are_rows_either_way(path: Path) -> None:
    write(
        path, row=np.arange(3.0).reshape(1, 3), column=np.arange(3.0).reshape(3, 1), matrix=np.arange(6).reshape(3, 2)
    )
    found = read(path)
    assert found["row"].tolist() == found["column"].tolist() == [0, 1, 2]
    assert found["matrix"].tolist() == [[0, 1], [2, 3], [4, 5]]


def test_one_table_for_each_length(path: Path) -> None:
    write(path, x=np.zeros((5, 3)), y=np.arange(5), names=Cell((2, 1), ["a", "b"]))
    schema = hf_h5.describe(path)
    assert schema.convention == "MATLAB 7.3"
    assert {name: sorted(table.columns) for name, table in schema.tables.items()} == {
        "/": ["x", "y"],
        "/names": ["names"],
    }
    with pytest.warns(H5Warning, match="names"), hf_h5.open_table(path):
        pass


def test_pictures_lie_along_the_last_dimension_beside_their_labels(path: Path) -> None:
    pictures = np.arange(2 * 3 * 3 * 4, dtype="u1").reshape(2, 3, 3, 4)
    write(path, X=pictures, y=np.arange(4).reshape(4, 1))
    found = read(path)
    np.testing.assert_array_equal(found["X"], np.moveaxis(pictures, -1, 0))
    assert "those of X lie along the last dimension" in str(hf_h5.describe(path))
    assert read(path, rows="first", columns=["X"])["X"].shape == (2, 3, 3, 4)


def test_rows_along_the_last_dimension_by_option(path: Path) -> None:
    stack = np.arange(24.0).reshape(2, 3, 4)
    write(path, stack=stack)
    np.testing.assert_array_equal(read(path)["stack"], stack)
    np.testing.assert_array_equal(read(path, rows="last")["stack"], np.moveaxis(stack, -1, 0))
    with pytest.raises(OptionError, match="rows='last'"):
        hf_h5.describe(path, rows="time")


def test_texts(path: Path) -> None:
    letters = "Ærø 😀"
    write(path, one=letters, nothing="", matrix=Chars(["ab  ", " cd "]), cells=Cell((1, 2), ["", letters]))
    found = read(path)
    assert found["matrix"].tolist() == ["ab", " cd"]
    assert found["cells"].tolist() == ["", letters]
    assert hf_h5.describe(path).metadata == {"/nothing": "", "/one": letters}


def test_truth_values_and_complex_numbers(path: Path) -> None:
    write(path, flags=np.array([True, False, True]), z=np.array([1 + 2j, 3 - 4j, 5j]))
    found = read(path)
    assert found["flags"].dtype == bool
    assert found["flags"].tolist() == [True, False, True]
    assert (found["z/real"] + 1j * found["z/imag"]).tolist() == [1 + 2j, 3 - 4j, 5j]


@pytest.mark.parametrize("dtype", ["f8", "b1"])
def test_sparse_matrices(path: Path, dtype: str) -> None:
    dense = np.array([[0, 1, 0], [2, 0, 3], [0, 0, 0], [4, 5, 6]]).astype(dtype)
    write(path, s=Sparse(dense))
    found = read(path)
    rows = [np.zeros(3) for _ in range(4)]
    for row, places, values in zip(rows, found["s/indices"], found["s/values"], strict=True):
        row[places.astype(int)] = values
    np.testing.assert_array_equal(np.array(rows), dense.astype("f8"))
    np.testing.assert_array_equal(read(path, dense=True)["s"], dense)
    assert read(path, dense=True)["s"].dtype == dense.dtype


def test_empty_arrays_are_empty(path: Path) -> None:
    write(path, empty=np.empty((0, 3)), none=Cell((0, 0), []), x=np.arange(2))
    assert hf_h5.describe(path).metadata["/empty"] == []
    assert read(path)["x"].tolist() == [0, 1]


def test_structs_are_groups_of_variables(path: Path) -> None:
    write(path, run={"x": np.arange(6).reshape(3, 2), "name": "first", "inner": {"y": np.arange(3.0), "rate": 0.5}})
    found = read(path)
    assert sorted(found) == ["run/inner/y", "run/x"]
    assert found["run/x"].tolist() == [[0, 1], [2, 3], [4, 5]]
    assert hf_h5.describe(path).metadata == {"/run/name": "first", "/run/inner/rate": 0.5}
    with pytest.warns(H5Warning, match="run/name"):
        loaded = hf_h5.load_dataset(path, split="train", nested=True)
    assert loaded[0] == {"run": {"inner": {"y": 0.0}, "x": [0, 1]}}


def test_struct_arrays_are_rows(path: Path) -> None:
    boxes = [Structs({"top": [1.0, 2.0], "label": ["a", "bc"]}), {"top": 3.0, "label": "d"}]
    write(
        path,
        people=Structs(
            {
                "name": ["Ada", "Bo"],
                "age": [36.0, np.empty((0, 0))],
                "scores": [np.arange(3.0), np.arange(2.0)],
                "boxes": boxes,
                "made": [Object("datetime"), Object("datetime")],
                "any": ["text", 1.0],
            }
        ),
    )
    found = read(path)
    assert found["people/name"].tolist() == ["Ada", "Bo"]
    assert found["people/age"].tolist() == [36.0, None]
    assert [each.tolist() for each in found["people/scores"]] == [[0, 1, 2], [0, 1]]
    assert [each.tolist() for each in found["people/boxes/top"]] == [[1, 2], [3]]
    assert [each.tolist() for each in found["people/boxes/label"]] == [["a", "bc"], ["d"]]
    assert [json.loads(each) for each in found["people/any"]] == ["text", 1.0]
    notes = {note.path: note.why for note in hf_h5.describe(path).notes}
    assert notes == {"/people/made": "it holds objects of class 'datetime'"}


def test_cells_of_arrays_and_of_lists(path: Path) -> None:
    write(
        path,
        vectors=Cell((3, 1), [np.arange(2.0), 5.0, np.empty((0, 0))]),
        matrices=Cell((3, 1), [np.ones((2, 2)), np.zeros((1, 2)), np.ones((3, 2))]),
        ragged=Cell((3, 1), [np.ones((2, 2)), np.zeros((1, 3)), np.ones((3, 1))]),
        numbers=Cell((1, 3), [1, 2, 3]),
        words=Cell((3, 1), [Cell((1, 2), ["a", "b"]), Cell((1, 1), ["c"]), Cell((0, 0), [])]),
        flags=Cell((3, 1), [True, False, True]),
    )
    found = read(path)
    assert [each.tolist() for each in found["vectors"]] == [[0, 1], [5], []]
    assert [each.shape for each in found["matrices"]] == [(2, 2), (1, 2), (3, 2)]
    assert [each.shape for each in found["ragged"]] == [(2, 2), (1, 3), (3, 1)]
    assert found["numbers"].tolist() == [1, 2, 3]
    assert [each.tolist() for each in found["words"]] == [["a", "b"], ["c"], []]
    assert found["flags"].dtype == bool
    loaded = hf_h5.load_dataset(path, split="train")
    assert loaded.with_format(None)["matrices"][1] == [[0, 0]]
    assert loaded.with_format(None)["ragged"][2] == [[1], [1], [1]]


def test_cell_matrices_are_lists_or_columns(path: Path) -> None:
    write(
        path,
        words=Cell((2, 3), ["a", "b", "c", "d", "e", "f"]),
        table=Cell((2, 2), ["x", "y", 1.0, 2.0]),
        mixed=Cell((2, 1), ["x", 1.0]),
    )
    found = read(path)
    assert [each.tolist() for each in found["words"]] == [["a", "c", "e"], ["b", "d", "f"]]
    assert found["table/1"].tolist() == ["x", "y"]
    assert found["table/2"].tolist() == [1, 2]
    assert [json.loads(each) for each in found["mixed"]] == ["x", 1.0]
    assert (
        "JSON: its values are of different kinds (char, float64)"
        in hf_h5.describe(path).table.columns["mixed"].attrs["description"]
    )


def test_numbers_that_no_type_holds_together_are_not_rounded(path: Path) -> None:
    write(path, cells=Cell((2, 1), [np.int64(2**60 + 1), 0.5]))
    assert [json.loads(each) for each in read(path)["cells"]] == [2**60 + 1, 0.5]


def test_large_cells_are_read_row_by_row(path: Path) -> None:
    large = [np.full((1000, 700), number, "f8") for number in range(3)]
    mixed = [Cell((1, 1), [np.zeros((1500, 1500))]), 1.0, 2.0]
    write(path, large=Cell((3, 1), large), long=Cell((3, 1), [np.arange(10**6), 1, 2]), deep=Cell((3, 1), mixed))
    schema = hf_h5.describe(path)
    assert "the array behind each reference" in str(schema)
    assert [note.path for note in schema.notes] == ["/deep"]
    assert "more than 16 MiB" in schema.notes[0].why
    found = read(path)
    for mine, theirs in zip(found["large"], large, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    with hf_h5.H5TorchView(path, columns=["large"]) as view:
        assert view.with_format("numpy")[2]["large"].shape == (1000, 700)


def test_objects_are_refused_by_name_and_the_rest_loads(path: Path) -> None:
    write(path, when=Object("datetime"), frame=Object("table"), x=np.arange(3))
    with pytest.warns(H5Warning, match="a MATLAB object of class 'table'"), hf_h5.open_table(path) as reader:
        assert reader.read(slice(None))["x"].tolist() == [0, 1, 2]
    with pytest.raises(LayoutError, match=r"a MATLAB object of class 'string' \(in MATLAB, save it as a struct"):
        hf_h5.open_table(write(path.with_name("b.mat"), text=Object("string")))


def test_single_values_are_one_row(path: Path) -> None:
    write(path, n=np.int16(3), name="x", flag=True, value=0.5)
    assert hf_h5.load_dataset(path, split="train")[:] == {"flag": [True], "n": [3], "name": ["x"], "value": [0.5]}
    assert hf_h5.describe(path).table.columns["n"].spec["dtype"] == "int16"


def test_all_doors_agree(path: Path, tmp_path: Path) -> None:
    torch_data = pytest.importorskip("torch.utils.data")
    write(
        path,
        x=np.arange(24.0).reshape(4, 3, 2),
        y=np.arange(4),
        name=Cell((4, 1), ["a", "b", "c", "d"]),
        points=Cell((4, 1), [np.arange(2.0), np.arange(3.0), 1.0, 2.0]),
        age=Structs({"years": [1.0, np.empty((0, 0)), 3.0, 4.0]}),
        letters=Chars(["ab", "cd", "ef", "gh"]),
    )
    cached = hf_h5.load_dataset(path, split="train", cache_dir=str(tmp_path / "cache"))
    with hf_h5.H5TorchView(path) as view:
        assert view.features == cached.features
        assert_exact(view.with_format(None)[:], cached.with_format(None)[:])
        loader = torch_data.DataLoader(view.select_columns(["x", "y", "name"]), num_workers=2, batch_size=2)
        batches = list(loader)
        np.testing.assert_array_equal(np.concatenate([each["y"] for each in batches]), np.arange(4))
        assert [name for each in batches for name in each["name"]] == ["a", "b", "c", "d"]


def test_several_files_follow_each_other(tmp_path: Path) -> None:
    files = [
        write(tmp_path / f"{name}.mat", x=np.arange(4).reshape(2, 2), name=Cell((2, 1), [name, "z"])) for name in "ab"
    ]
    with hf_h5.open_table(files) as reader:
        assert reader.read([2, 1])["name"].tolist() == ["b", "z"]
        assert reader.read([2, 1])["x"].tolist() == [[0, 1], [2, 3]]


def test_raw_turns_the_convention_off(path: Path) -> None:
    write(path, x=np.arange(6.0).reshape(3, 2))
    assert hf_h5.describe(path, layout="raw").convention is None
    assert read(path, layout="raw")["x"].shape == (2, 3)


def test_variables_read_as_mat73_reads_them(path: Path) -> None:
    mat73 = pytest.importorskip("mat73")
    write(
        path,
        matrix=np.arange(12.0).reshape(4, 3),
        cube=np.arange(24).reshape(4, 3, 2),
        flags=np.array([True, False, False, True]),
        cells=Cell((4, 1), ["a", "bc", "d", "e"]),
        items=Structs({"a": [1.0, 2.0, 3.0, 4.0]}),
    )
    found, expected = read(path), mat73.loadmat(str(path))
    for name in ("matrix", "cube", "flags"):
        np.testing.assert_array_equal(found[name], expected[name])
        assert found[name].dtype == expected[name].dtype
    assert found["cells"].tolist() == [np.ravel(each)[0] for each in expected["cells"]]
    assert found["items/a"].tolist() == [float(each) for each in expected["items"]["a"]]


def test_files_of_hdf5storage(path: Path) -> None:
    hdf5storage = pytest.importorskip("hdf5storage")
    values = {"x": np.arange(6.0).reshape(3, 2), "n": np.int16(4), "names": np.array(["a", "bcd", "ef"], object)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy's, of that package
        hdf5storage.savemat(str(path), values, format="7.3", store_python_metadata=False)
    found = read(path)
    np.testing.assert_array_equal(found["x"], values["x"])
    assert found["names"].tolist() == ["a", "bcd", "ef"]
    assert hf_h5.describe(path).metadata["/n"] == 4


def test_real_files(realh5: Path) -> None:
    assert [json.loads(each) for each in read(realh5 / "matlab_cell.mat")["cell"]] == [
        1.0,
        2.01,
        "string",
        ["string1", "string2"],
    ]
    assert hf_h5.describe(realh5 / "matlab_string.mat").metadata["/simple_string"] == "the quick brown fox"
    simple = read(realh5 / "matlab_simple.mat")
    assert {name: values.dtype.name for name, values in simple.items() if name != "logical"} == {
        name: {"double": "float64", "single": "float32"}.get(name, name) for name in simple if name != "logical"
    }


def test_names_that_are_no_utf8(path: Path) -> None:
    write(path, x=np.arange(3.0), names=Cell((3, 1), ["a", "b", "c"]))
    with h5py.File(path, "r+") as out:
        out.move("x", b"caf\xe9")
        out["names"].attrs.create(b"caf\xe9", 1)
    assert read(path)["caf\\xe9"].tolist() == [0, 1, 2]


def test_cells_that_hold_nothing_readable_are_noted(path: Path) -> None:
    write(path, objects=Cell((2, 1), [Object("table"), Object("table")]), x=np.arange(3))
    schema = hf_h5.describe(path)
    assert [note.path for note in schema.notes] == ["/objects"]
    assert list(schema.tables) == ["/"]


def test_cells_that_hold_themselves_end(path: Path) -> None:
    write(path, loop=Cell((2, 1), ["a", "b"]), x=np.arange(3))
    with h5py.File(path, "r+") as out:
        out["loop"][0, :] = out["loop"].ref
    assert [note.why for note in hf_h5.describe(path).notes if note.path == "/loop"]


@pytest.mark.parametrize("shape", [(1, 6), (6, 1), (1, 6, 1), (1, 1, 6)])
def test_vectors_are_read_into_the_callers_memory(path: Path, shape: tuple[int, ...]) -> None:
    write(path, x=np.arange(6, dtype="f4").reshape(shape))
    with hf_h5.open_table(path) as reader:
        assert reader.routes() == {"x": "direct"}
        out = np.empty(3, "f4")
        assert reader.read([4, 0, 0], out={"x": out})["x"] is out
        assert out.tolist() == [4, 0, 0]
        assert reader.read_row(5, ("x",))["x"].tolist() == [5]


_TEXTS = st.text(st.characters(codec="utf-16-le", exclude_characters="\0"), max_size=6)
_NUMBERS = st.floats(width=64, allow_nan=False)
_VECTORS = arrays.arrays("f8", st.integers(2, 4), elements=_NUMBERS)


@given(items=st.lists(_TEXTS, min_size=2, max_size=6))
@settings(max_examples=25)
def test_any_texts_in_cells(tmp_path_factory: pytest.TempPathFactory, items: list[str]) -> None:
    file = write(tmp_path_factory.mktemp("any") / "a.mat", x=Cell((len(items), 1), items))
    assert read(file)["x"].tolist() == items


@given(items=st.lists(_NUMBERS | _VECTORS | st.just(np.empty((0, 0))), min_size=2, max_size=6))
@settings(max_examples=25)
def test_any_vectors_in_cells(tmp_path_factory: pytest.TempPathFactory, items: list[Any]) -> None:
    file = write(tmp_path_factory.mktemp("any") / "a.mat", x=Cell((1, len(items)), items))
    found = read(file)["x"]
    if found.dtype.kind == "O":
        assert [each.tolist() for each in found] == [np.asarray(each).reshape(-1).tolist() for each in items]
    else:
        assert found.tolist() == [None if np.size(each) == 0 else each for each in items]
