"""Files of PyTables itself: its tables and arrays read as PyTables reads them."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hf_h5
from hf_h5.errors import DataError, H5Warning

tables = pytest.importorskip("tables")
LETTERS = {"a": 0, "b": 7, "c": 2}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "own.h5"


class Inner(tables.IsDescription):
    deep = tables.Int16Col(shape=(2,))
    at = tables.Time64Col()


class Row(tables.IsDescription):
    text = tables.StringCol(5)
    truth = tables.BoolCol()
    truths = tables.BoolCol(shape=(2,))
    small = tables.UInt8Col()
    half = tables.Float16Col()
    seconds = tables.Time32Col()
    at = tables.Time64Col()
    z = tables.ComplexCol(16)
    letter = tables.EnumCol(LETTERS, "a", base="uint8")
    inner = Inner()


def write_table(file: Path, n_rows: int = 5) -> np.ndarray[Any, Any]:
    with tables.open_file(file, "w") as out:
        stored = out.create_table("/group", "readout", Row, createparents=True)
        for number in range(n_rows):
            row = stored.row
            row["text"], row["truth"], row["small"], row["half"] = f"t{number}", number % 2, number, number / 2
            row["truths"] = (number % 2, 1)
            row["seconds"], row["at"], row["z"], row["letter"] = number, -number - 0.25, complex(number, -1), 7
            row["inner/deep"], row["inner/at"] = (number, -number), 1e9 + number / 8
            row.append()
        stored.flush()
        stored.cols.small.create_csindex()
        return stored.read()


def test_the_fields_of_a_table_are_columns(file: Path) -> None:
    expected = write_table(file)
    schema = hf_h5.describe(file)
    assert schema.convention == "PyTables 2.1"
    assert list(schema.tables) == ["/group/readout"]
    assert (schema.notes, schema.metadata) == ((), {})
    with hf_h5.open_table(file) as table:
        found = table.read([4, 0, 0, 2])
    expected = expected[[4, 0, 0, 2]]
    for name in ("truth", "truths", "small", "half", "seconds", "at"):
        np.testing.assert_array_equal(found[name], expected[name], strict=True)
    assert found["text"].tolist() == [text.decode() for text in expected["text"]]
    assert (found["z/real"] + 1j * found["z/imag"]).tolist() == expected["z"].tolist()
    assert found["inner/deep"].tolist() == expected["inner"]["deep"].tolist()
    assert found["inner/at"].tolist() == expected["inner"]["at"].tolist()
    element = schema.tables["/group/readout"].columns["letter"].element
    assert [element.names[code] for code in found["letter"]] == ["b"] * 4


def test_both_modes_have_the_rows_of_a_table(file: Path) -> None:
    write_table(file)
    cached = hf_h5.load_dataset(str(file), split="train").with_format(None)[:]
    with hf_h5.H5TorchView(file) as view:
        assert view.with_format(None)[:] == cached
    assert cached["truth"] == [False, True, False, True, False]


def test_each_table_is_a_table(file: Path) -> None:
    kind = np.dtype([("x", "f4"), ("y", "i2")])
    with tables.open_file(file, "w") as out:
        out.create_table("/", "first", np.zeros(3, kind))
        out.create_table("/", "second", np.ones(3, kind))
        out.create_table("/", "none", kind)
    schema = hf_h5.describe(file)
    assert {name: table.num_rows for name, table in schema.tables.items()} == {"/first": 3, "/second": 3, "/none": 0}
    with pytest.warns(H5Warning, match="/second"):
        assert hf_h5.load_dataset(str(file), split="train").column_names == ["x", "y"]


def test_rows_lie_along_the_axis_that_can_grow(file: Path) -> None:
    values = np.arange(24).reshape(2, 4, 3)
    with tables.open_file(file, "w") as out:
        grown = out.create_earray("/", "signal", tables.Int64Atom(), (2, 0, 3))
        grown.append(values)
        out.create_array("/", "label", np.arange(4))
    with hf_h5.open_table(file) as table:
        found = table.read([3, 0, 1])
    assert found["signal"].tolist() == np.moveaxis(values, 1, 0)[[3, 0, 1]].tolist()
    assert found["label"].tolist() == [3, 0, 1]


def test_truth_values_and_times_of_arrays_are_such(file: Path) -> None:
    with tables.open_file(file, "w") as out:
        out.create_carray("/", "mask", obj=np.array([[True, False], [False, True]]))
        out.create_earray("/", "at", tables.Time64Atom(), (0,)).append([1.5, -2.25])
        ragged = out.create_vlarray("/", "truths", tables.BoolAtom())
        ragged.append([True, False, True])
        ragged.append([])
    with hf_h5.open_table(file) as table:
        found = table.read([1, 0])
    assert found["mask"].tolist() == [[False, True], [True, False]]
    assert (found["mask"].dtype, found["at"].tolist()) == (np.dtype(bool), [-2.25, 1.5])
    assert [row.tolist() for row in found["truths"]] == [[], [True, False, True]]


def test_lists_and_strings_of_any_length_are_lists_and_strings(file: Path) -> None:
    numbers, texts = [[1, 2, 3], [], [4]], ["é", "", "𝄞 b"]
    with tables.open_file(file, "w") as out:
        lists = out.create_vlarray("/", "numbers", tables.Int32Atom())
        wide = out.create_vlarray("/", "wide", tables.VLUnicodeAtom())
        plain = out.create_vlarray("/", "plain", tables.VLStringAtom())
        raw = out.create_vlarray("/", "raw", tables.VLStringAtom())
        for values, text in zip(numbers, texts, strict=True):
            lists.append(values)
            wide.append(text)
            plain.append(text.encode())
            raw.append(b"\xff\x00" + text.encode())
    cached = hf_h5.load_dataset(str(file), split="train").with_format(None)[:]
    with hf_h5.H5TorchView(file) as view:
        assert view.with_format(None)[:] == cached
    assert (cached["numbers"], cached["wide"], cached["plain"]) == (numbers, texts, texts)
    assert cached["raw"] == [b"\xff\x00" + text.encode() for text in texts]


def test_text_that_ends_late_says_what_to_do(file: Path) -> None:
    with tables.open_file(file, "w") as out:
        plain = out.create_vlarray("/", "plain", tables.VLStringAtom())
        for _ in range(100):
            plain.append(b"text")
        plain.append(b"\xff")
    with hf_h5.open_table(file) as table, pytest.raises(DataError, match="no valid Unicode"):
        table.read([100])


def test_pickled_objects_are_refused_by_name(file: Path) -> None:
    with tables.open_file(file, "w") as out:
        out.create_array("/", "x", np.arange(3))
        objects = out.create_vlarray("/", "objects", tables.ObjectAtom())
        objects.append({"a": enum.Enum})
    schema = hf_h5.describe(file)
    assert list(schema.tables["/"].columns) == ["x"]
    assert [(note.path, "never loaded" in note.why) for note in schema.notes] == [("/objects", True)]


def test_arrays_follow_the_general_rules(file: Path) -> None:
    with tables.open_file(file, "w") as out:
        for split, count in (("train", 4), ("test", 2)):
            out.create_earray("/", f"{split}_img", obj=np.ones((count, 2, 2), "u1"))
            out.create_array("/", f"{split}_labels", np.arange(count))
    loaded = hf_h5.load_dataset(str(file))
    assert {name: split.num_rows for name, split in loaded.items()} == {"train": 4, "test": 2}
    assert loaded["train"].column_names == ["img", "labels"]


def test_single_values_beside_a_table_are_metadata(file: Path) -> None:
    write_table(file)
    with tables.open_file(file, "a") as out:
        out.create_array("/", "version", 3)
        out.create_array("/", "gain", [0.5])
    schema = hf_h5.describe(file)
    assert list(schema.tables) == ["/group/readout"]
    assert schema.metadata == {"/version": 3, "/gain": [0.5]}


SHIPPED = [
    "bug-idx.h5",
    "idx-std-1.x.h5",
    "indexes_2_0.h5",
    "indexes_2_1.h5",
    "out_of_order_types.h5",
    "python2.h5",
    "python3.h5",
    "time-table-vlarray-1_x.h5",
    "times-nested-be.h5",
]


@pytest.mark.filterwarnings("ignore")  # PyTables says that these are old
@pytest.mark.parametrize("name", SHIPPED)
def test_tables_of_old_versions_are_what_pytables_reads(name: str) -> None:
    file = Path(tables.__file__).parent / "tests" / name
    if not file.is_file():
        pytest.skip(f"this version of tables has no {name}")
    with tables.open_file(file) as stored:
        expected = {node._v_pathname: node.read() for node in stored.walk_nodes("/", "Table")}
    found = hf_h5.describe(file).tables
    assert expected.keys() <= found.keys()
    for path, rows in expected.items():
        with hf_h5.open_table(file, table=path) as table:
            columns = table.read(slice(None))
        assert set(columns) == set(leaves(rows))
        for column, values in leaves(rows).items():
            assert columns[column].tolist() == values, (path, column)


def leaves(rows: np.ndarray[Any, Any], prefix: str = "") -> dict[str, list[Any]]:
    """Return the fields of a compound, inner ones by their path."""
    found: dict[str, list[Any]] = {}
    for name in rows.dtype.names or ():
        if rows.dtype[name].names:
            found |= leaves(rows[name], f"{prefix}{name}/")
        else:
            is_text = rows.dtype[name].kind == "S"
            found[prefix + name] = [value.decode() if is_text else value for value in rows[name].tolist()]
    return found


@pytest.mark.filterwarnings("ignore")  # PyTables says that these are old
@pytest.mark.parametrize("name", ["flavored_vlarrays-format1.6.h5", "oldflavor_numeric.h5", "vlunicode_endian.h5"])
def test_lists_of_old_versions_are_what_pytables_reads(name: str) -> None:
    file = Path(tables.__file__).parent / "tests" / name
    if not file.is_file():
        pytest.skip(f"this version of tables has no {name}")
    with tables.open_file(file) as stored:
        expected = {node._v_name: list(map(plain, node.read())) for node in stored.walk_nodes("/", "VLArray")}
    with hf_h5.open_table(file, columns=list(expected)) as table:
        columns = table.read(slice(None))
    assert {path: list(map(plain, values)) for path, values in columns.items()} == expected


def plain(value: Any) -> Any:
    if isinstance(value, str):
        return value
    return [item.decode() if isinstance(item, bytes) else item for item in np.asarray(value).tolist()]
