"""What a person and a program read of a file: every fact is there, aligned, escaped and short."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import datasets
import h5py
import numpy as np
import pytest

import hf_h5
from hf_h5.describe.elements import Number
from hf_h5.describe.route import route_of
from hf_h5.describe.schema import Column, Storage
from hf_h5.describe.sizes import Size, arrow_size, measure_table
from tests.conformance.case import Case
from tests.conformance.zoo import CASES


def line_of(text: str, start: str) -> list[str]:
    """Return the cells of the one line that starts so."""
    (line,) = [line for line in text.splitlines() if line.strip().startswith(start)]
    return re.split(r" {2,}", line.strip())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file with a table, a sidecar, a scalar, attributes, a compound and a link that leads nowhere."""
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as handle:
        images = np.zeros((100, 8, 8, 3), np.uint8)
        handle.create_dataset("images", data=images, chunks=(10, 8, 8, 3), compression="gzip", shuffle=True)
        handle["images"].attrs["units"] = "gray levels"
        handle["big"] = np.zeros(100, ">f4")
        handle["hits"] = np.zeros(100, [("x", "f8"), ("name", "S5")])
        handle["text"] = np.array(["a"] * 100, dtype=object).astype(h5py.string_dtype())
        handle["class_names"] = np.array([b"cat", b"dog"])
        handle["version"] = 7
        handle["gone"] = h5py.SoftLink("/nowhere")
        handle.attrs["author"] = "someone"
    return path


def test_the_first_line_names_the_file_and_its_size(file: Path) -> None:
    first = str(hf_h5.describe(file)).splitlines()[0]
    assert first.split("  ")[0] == str(file)
    assert f"{file.stat().st_size / 1000:.1f} kB" in first


def test_the_default_table_comes_first_with_its_mark_reason_and_rows(file: Path) -> None:
    text = str(hf_h5.describe(file))
    assert [line.split()[0] for line in text.splitlines() if line.startswith("* ")] == ["*"]
    assert text.index("* /  100 rows, 5 columns") < text.index("the default table (most bytes)")
    assert text.index("the default table") < text.index("/class_names  2 rows, 1 column")


def test_a_column_shows_feature_stored_type_layout_ratio_sizes_and_route(file: Path) -> None:
    with h5py.File(file) as handle:
        stored = handle["images"].id.get_storage_size()
    cells = line_of(str(hf_h5.describe(file)), "images  ")
    assert cells[:4] == [
        "images",
        "Array3D(shape=(8, 8, 3), dtype='uint8')",
        "(100, 8, 8, 3) uint8",
        "chunks 10x8x8x3, shuffle+gzip",
    ]
    assert cells[4] == f"{100 * 8 * 8 * 3 / stored:.1f}x"
    assert cells[7] == "direct"


def test_byte_order_padding_and_the_reason_for_h5py_are_told(file: Path) -> None:
    text = str(hf_h5.describe(file))
    assert "(100,) float32 big-endian" in line_of(text, "big")
    assert "(100,) string of 5 bytes, padded with NUL" in line_of(text, "hits/name")
    assert line_of(text, "text")[-1] == "direct"


def test_fields_of_one_compound_count_its_bytes_once(file: Path) -> None:
    schema = hf_h5.describe(file)
    (table,) = [table for name, table in schema.tables.items() if name == "/"]
    with h5py.File(file) as handle:
        expected = sum(handle[name].id.get_storage_size() for name in ("images", "big", "hits", "text"))
    assert measure_table(table)[1].n_bytes == expected
    assert "same dataset" in str(schema)


def test_what_is_not_among_the_rows_is_named_with_the_way_to_it(file: Path) -> None:
    text = str(hf_h5.describe(file))
    assert "load it with table='/class_names'" in text
    assert "/version = 7" in text
    assert "author = 'someone'" in text
    assert "/gone: the soft link to '/nowhere' leads nowhere" in text
    assert "images: units 'gray levels'" in text


def test_columns_are_aligned(file: Path) -> None:
    lines = str(hf_h5.describe(file)).splitlines()
    heading = next(number for number, line in enumerate(lines) if line.strip().startswith("column  "))
    starts = {line.index(line.split()[1]) for line in lines[heading : heading + 6]}
    assert len(starts) == 1


def test_splits_are_listed_with_their_rows(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as handle:
        handle["train/x"], handle["test/x"] = np.zeros(1200), np.zeros(3)
    assert "splits: train 1,200 rows, test 3 rows" in str(hf_h5.describe(tmp_path / "x.h5"))


def test_many_episodes_are_one_line_with_the_other_layout(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as handle:
        for number in range(12):
            handle[f"data/demo_{number}/a"] = np.zeros((3 + number, 2))
    text = str(hf_h5.describe(tmp_path / "x.h5"))
    assert "12 episodes under /data (demo_0 ... demo_11); layout='steps'" in text
    assert "layout='episodes'" in str(hf_h5.describe(tmp_path / "x.h5", layout="steps"))


def test_many_columns_are_cut_short_in_text_and_whole_in_the_dict(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as handle:
        for letter in range(300):
            handle[f"{chr(97 + letter % 26)}{chr(97 + letter // 26)}"] = np.zeros(5)
    schema = hf_h5.describe(tmp_path / "x.h5")
    text = str(schema)
    assert "... and 260 more columns" in text
    assert len(text.splitlines()) < 60
    assert len(schema.to_dict()["tables"]["/"]["columns"]) == 300


def test_many_tables_are_cut_short_by_name(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as handle:
        for letter in range(26):
            handle[f"{chr(97 + letter)}"] = np.zeros(letter + 2)
    assert "... and 15 more tables: '/" in str(hf_h5.describe(tmp_path / "x.h5"))


def test_a_long_value_is_shortened_and_says_how_long_it_is(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as handle:
        handle["x"] = np.zeros(3)
        handle.attrs["numbers"] = np.arange(5000)
        handle.attrs["words"] = "word " * 1000
    schema = hf_h5.describe(tmp_path / "x.h5")
    lines = [line for line in str(schema).splitlines() if "numbers" in line or "words" in line]
    assert max(map(len, lines)) < 120
    assert "(5,000 items)" in lines[0]
    assert "(5,000 characters)" in lines[1]
    assert schema.to_dict()["attrs"]["numbers"] == list(range(5000))


def test_a_file_without_rows_says_so(tmp_path: Path) -> None:
    h5py.File(tmp_path / "x.h5", "w").close()
    assert "no rows" in str(hf_h5.describe(tmp_path / "x.h5"))


def test_names_from_the_file_cannot_disguise_the_text_or_the_page(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as handle:
        handle["a\u202eb"] = np.zeros(3)
        handle["<script>alert(1)<\\script>"] = np.zeros(3)
        handle.attrs["<b>"] = "\x1b[31m<img src=x>"
    schema = hf_h5.describe(tmp_path / "x.h5")
    for rendered in (str(schema), schema._repr_html_()):
        assert "\u202e" not in rendered
        assert "\x1b" not in rendered
    assert "<script>" not in schema._repr_html_()
    assert "<img" not in schema._repr_html_()


def test_the_html_is_well_formed_and_stands_alone(file: Path) -> None:
    tags: list[str] = []

    class Balance(HTMLParser):
        def handle_starttag(self, tag: str, attrs: object) -> None:
            tags.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert tags.pop() == tag

    page = hf_h5.describe(file)._repr_html_()
    Balance().feed(page)
    assert tags == []
    assert "Array3D" in page
    assert not re.search(r"<script|https?:|<link|<style", page)


def test_the_dict_is_strict_json_with_every_fact(file: Path) -> None:
    with h5py.File(file, "r+") as handle:
        handle.attrs["nan"] = np.array([np.nan, np.inf, 1.0])
        handle.attrs["bytes"] = np.void(b"\x00\xff")
        handle.attrs["complex"] = 1 + 2j
    found = json.loads(json.dumps(hf_h5.describe(file).to_dict(), allow_nan=False))
    assert found["attrs"]["nan"] == ["nan", "inf", 1.0]
    assert found["attrs"]["bytes"] == {"hex": "00ff"}
    assert found["attrs"]["complex"] == {"real": 1.0, "imag": 2.0}
    assert found["metadata"] == {"/version": 7}
    assert found["notes"][0]["path"] == "/gone"
    assert found["tables"]["/class_names"]["option"] == "table='/class_names'"
    column = found["tables"]["/"]["columns"]["images"]
    assert column["filters"] == [{"id": 2, "name": "shuffle"}, {"id": 1, "name": "gzip"}]
    assert (column["chunks"], column["route"], column["path"]) == ([10, 8, 8, 3], "direct", "/images")
    assert column["feature"] == {"shape": [8, 8, 3], "dtype": "uint8", "_type": "Array3D"}


@pytest.mark.parametrize(
    ("column", "route", "reason"),
    [
        ({}, "direct", None),
        ({"storage": Storage("chunked", (2,), ((2, "shuffle"), (1, "gzip")), 9)}, "direct", None),
        ({"storage": Storage("chunked", (2,), ((32013, "zfp"),), 9)}, "h5py", "filter 32013 (zfp)"),
        ({"storage": Storage("virtual", None, (), 0)}, "h5py", "a virtual dataset"),
        ({"storage": Storage("external", None, (), 9)}, "h5py", "external storage"),
        ({"variable": "references"}, "h5py", "references"),
        ({"converted": "integers of 24 bits"}, "h5py", "integers of 24 bits"),
        ({"take": "constant"}, "none", "from names and attributes"),
        ({"take": "counter"}, "none", "counted"),
    ],
)
def test_the_route_follows_type_layout_and_filters(column: dict[str, object], route: str, reason: str | None) -> None:
    given = {"name": "x", "path": "/x", "take": "rows", "element": Number(np.dtype("i4")), "row_shape": (), **column}
    assert route_of(Column(**given)) == (route, reason)


@pytest.mark.parametrize(
    ("dtype", "shape"),
    [("u1", ()), ("f8", (3,)), ("i2", (4, 5)), ("f4", (2, 3, 4)), ("u1", (2, 1, 3, 2, 2)), ("?", ()), ("?", (3, 3))],
)
def test_the_size_in_arrow_is_that_of_the_converted_table(tmp_path: Path, dtype: str, shape: tuple[int, ...]) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as handle:
        handle["x"] = np.zeros((41, *shape), dtype)
    spec = hf_h5.describe(tmp_path / "x.h5").tables["/"].columns["x"].spec
    ds = datasets.load_dataset("hf_h5", data_files=str(tmp_path / "x.h5"), split="train", cache_dir=str(tmp_path))
    size = arrow_size(spec, 41)
    # pyarrow does not count the last offset of each list level.
    uncounted = 4 * len(shape) if len(shape) > 1 else 0
    assert (size.n_bytes - uncounted, size.bound) == (ds.data.table["x"].combine_chunks().nbytes, "exact")


def test_the_size_in_arrow_is_a_lower_bound_where_only_the_data_know(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as handle:
        handle["x"] = np.array(["many words"] * 9, dtype=object).astype(h5py.string_dtype())
    columns, stored, arrow = measure_table(hf_h5.describe(tmp_path / "x.h5").tables["/"])
    assert (stored.bound, arrow.bound, columns["x"].ratio) == ("at least", "at least", None)
    assert arrow.n_bytes == 10 * 4


@pytest.mark.parametrize("layout", ["episodes", "steps"])
@pytest.mark.parametrize("groups", ["demo_{}", "train/demo_{}"])
def test_sizes_of_episodes_are_those_of_all_datasets_and_of_the_converted_table(
    tmp_path: Path, layout: str, groups: str
) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as handle:
        for number in range(5):
            shape = (7 * number + 3, 4, 4)
            handle.create_dataset(
                f"{groups.format(number)}/a", data=np.ones(shape), chunks=(2, 4, 4), compression="gzip"
            )
        stored = [handle[f"{groups.format(number)}/a"].id.get_storage_size() for number in range(5)]
    schema = hf_h5.describe(tmp_path / "x.h5", layout=layout)
    assert schema.table is not None
    columns, all_stored, _ = measure_table(schema.table)
    options = {"layout": layout, "split": "train", "cache_dir": str(tmp_path)}
    converted = datasets.load_dataset("hf_h5", data_files=str(tmp_path / "x.h5"), **options).data.table
    assert all_stored == Size(sum(stored), "exact")
    assert columns["a"].decoded == Size(sum(7 * number + 3 for number in range(5)) * 4 * 4 * 8)
    # pyarrow does not count the last offset of each list level.
    for name, levels in (("a", 3 if layout == "episodes" else 2), ("episode_id", 1)):
        assert columns[name].arrow == Size(converted[name].combine_chunks().nbytes + 4 * levels, "exact")


def test_the_size_of_ragged_lists_follows_from_the_number_of_values() -> None:
    spec = {"shape": (None, 3), "dtype": "float32", "_type": "Array2D"}
    rows, steps = 4, 50
    assert arrow_size(spec, rows, steps * 3) == Size((rows + 1) * 4 + (steps + 1) * 4 + steps * 3 * 4, "exact")
    assert arrow_size(spec, rows).bound == "at least"
    nested = {
        "feature": {"feature": {"dtype": "int8", "_type": "Value"}, "length": 3, "_type": "List"},
        "length": -1,
        "_type": "List",
    }
    assert arrow_size(nested, rows, steps * 3) == Size((rows + 1) * 4 + steps * 3, "exact")


@pytest.mark.parametrize("case", [case for case in CASES if case.error is None], ids=lambda case: case.name)
def test_every_animal_of_the_zoo_is_described_as_text_dict_and_html(case: Case, tmp_path: Path) -> None:
    if not case.available():
        pytest.skip(f"{case.name} cannot be written here")
    file = next(file for file in case.write(tmp_path) if h5py.is_hdf5(file))
    schema = hf_h5.describe(file, allow_external=str(tmp_path))
    text = str(schema)
    assert all(char.isprintable() or char == "\n" for char in text)
    assert json.loads(json.dumps(schema.to_dict(), allow_nan=False))["file"] == str(file)
    assert schema._repr_html_().startswith("<div>")


def test_every_real_file_is_described_as_text_dict_and_html(realh5: Path) -> None:
    files = [file for file in sorted(realh5.iterdir()) if file.suffix != ".md"]
    for file in files:
        schema = hf_h5.describe(file)
        lines = str(schema).splitlines()
        assert lines[0].startswith(str(file))
        assert len(lines) < 200
        assert max(map(len, lines)) < 260
        json.dumps(schema.to_dict(), allow_nan=False)
        assert schema._repr_html_().endswith("</div>")
