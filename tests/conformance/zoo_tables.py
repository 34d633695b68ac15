"""Which datasets are the rows of which table."""

from __future__ import annotations

import h5py
import numpy as np

from hf_h5.errors import LayoutError
from tests.conformance.case import Zoo, array, list_of, table, value

__all__ = ["zoo"]

zoo = Zoo()


@zoo.file(
    "one table",
    features={"x": value("int64"), "a/b/c": value("int64"), "a/d": list_of(value("int64"), 2)},
    rows=table({"x": [1, 2], "a/b/c": [3, 4], "a/d": [[5, 6], [7, 8]]}),
)
def one_table_across_groups(file: h5py.File) -> None:
    file["x"], file["a/b/c"], file["a/d"] = [1, 2], [3, 4], [[5, 6], [7, 8]]
    file.create_group("empty/inner")


@zoo.file(
    "columns",
    features={"Größe": value("int64"), "a b": value("int64"), "g.h/i-j": value("int64"), "100%": value("int64")},
    rows=table({"Größe": [1], "a b": [2], "g.h/i-j": [3], "100%": [4]}),
)
def columns_with_unusual_names(file: h5py.File) -> None:
    file["Größe"], file["a b"], file["g.h/i-j"], file["100%"] = [1], [2], [3], [4]


@zoo.file("columns", features={"x": value("int64")}, rows=table({"x": [1, 2]}))
def committed_types_are_no_columns(file: h5py.File) -> None:
    file["kind"] = np.dtype("i4")
    file["x"] = [1, 2]


@zoo.file(
    "siblings",
    features={f"{side}/x": value("int64") for side in ("left", "right", "top")},
    rows=table({"left/x": [1, 2], "right/x": [3, 4], "top/x": [5, 6]}),
)
def siblings_unnumbered_of_one_length(file: h5py.File) -> None:
    file["left/x"], file["right/x"], file["top/x"] = [1, 2], [3, 4], [5, 6]


@zoo.file(
    "siblings",
    features={
        "timestamps": value("float64"),
        "sensor_1/v": value("int64"),
        "sensor_2/v": value("int64"),
        "sensor_3/v": value("int64"),
    },
    rows=table({"timestamps": [0.0, 0.5], "sensor_1/v": [1, 2], "sensor_2/v": [3, 4], "sensor_3/v": [5, 6]}),
)
def siblings_numbered_that_share_a_length(file: h5py.File) -> None:
    file["timestamps"] = [0.0, 0.5]
    file["sensor_1/v"], file["sensor_2/v"], file["sensor_3/v"] = [1, 2], [3, 4], [5, 6]


@zoo.file(
    "siblings",
    features={"left/x": value("int64"), "right/x": value("int64")},
    rows=table({"left/x": [1, 2], "right/x": [3, 4]}),
)
def siblings_two_unnumbered(file: h5py.File) -> None:
    file["left/x"], file["right/x"] = [1, 2], [3, 4]


@zoo.file(
    "other lengths",
    features={"images": list_of(value("float64"), 4)},
    rows=table({"images": [[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]}),
    other_tables=[table({"names": ["a", "b", "c"]}), table({"ids": [1, 2, 3, 4, 5], "more/ids": [6, 7, 8, 9, 10]})],
    warns=["names", "ids"],
)
def other_lengths_default_is_the_most_bytes(file: h5py.File) -> None:
    """Not the most rows, not the most columns, not the first."""
    file["images"] = np.arange(1.0, 9.0).reshape(2, 4)
    file["names"] = np.array([b"a", b"b", b"c"])
    file["ids"], file["more/ids"] = np.arange(1, 6, dtype="i1"), np.arange(6, 11, dtype="i1")


@zoo.file(
    "other lengths",
    features={"big/x": value("int64"), "big/y": value("int64")},
    rows=table({"big/x": [1, 2, 3], "big/y": [4, 5, 6]}),
    other_tables=[table({"small/x": [7, 8], "small/z": [9, 10]})],
    warns=["small"],
)
def other_lengths_in_groups(file: h5py.File) -> None:
    file["big/x"], file["big/y"], file["small/x"], file["small/z"] = [1, 2, 3], [4, 5, 6], [7, 8], [9, 10]


def declare_table(name: str, group: str) -> None:
    zoo.file(
        "other lengths",
        name=name,
        options={"table": group},
        features={"small/x": value("int64"), "small/z": value("int64")},
        rows=table({"small/x": [7, 8], "small/z": [9, 10]}),
    )(other_lengths_in_groups)


declare_table("other_lengths_by_group", "small")
declare_table("other_lengths_by_path", "/small")
zoo.file(
    "columns=",
    name="other_lengths_by_columns",
    options={"columns": ["small/*"]},
    features={"small/x": value("int64"), "small/z": value("int64")},
    rows=table({"small/x": [7, 8], "small/z": [9, 10]}),
)(other_lengths_in_groups)


@zoo.file(
    "warning",
    features={"x": value("int64")},
    rows=table({"x": [1, 2, 3]}),
    other_tables=[table({"shorter": [1.5, 2.5]})],
    warns=["shorter"],
)
def other_length_off_by_one(file: h5py.File) -> None:
    """One row fewer is never cut to fit."""
    file["x"], file["shorter"] = np.array([1, 2, 3]), np.array([1.5, 2.5])


@zoo.file(
    "metadata",
    features={"x": array("float32", 2, 2)},
    rows=table({"x": np.arange(8.0).reshape(2, 2, 2).tolist()}),
    metadata=["mean", "info/fps", "info/name"],
    metadata_values={"info/fps": 30, "info/name": "run"},
)
def metadata_scalars_and_one_row_side_data(file: h5py.File) -> None:
    file["x"] = np.arange(8, dtype="f4").reshape(2, 2, 2)
    file["mean"] = np.array([[0.5, 0.25]])
    file["info/fps"], file["info/name"] = 30, "run"


@zoo.file(
    "other lengths",
    features={"x": value("int64")},
    rows=table({"x": [1, 2]}),
)
def other_length_without_rows(file: h5py.File) -> None:
    file["x"] = [1, 2]
    file["none"] = np.zeros(0)


@zoo.file(
    "layout",
    options={"layout": "raw"},
    features={"train/x": value("int64"), "train/y": value("int64")},
    rows=table({"train/x": [1, 2, 3], "train/y": [4, 5, 6]}),
    other_tables=[table({"test/x": [7, 8], "test/y": [9, 10]})],
    warns=["/test"],
)
def raw_makes_no_splits(file: h5py.File) -> None:
    file["train/x"], file["train/y"], file["test/x"], file["test/y"] = [1, 2, 3], [4, 5, 6], [7, 8], [9, 10]


@zoo.file(
    "layout",
    options={"layout": "raw"},
    features={"demo_0/x": value("int64"), "demo_1/x": value("int64"), "demo_2/x": value("int64")},
    rows=table({"demo_0/x": [1, 2], "demo_1/x": [3, 4], "demo_2/x": [5, 6]}),
)
def raw_makes_no_episodes(file: h5py.File) -> None:
    file["demo_0/x"], file["demo_1/x"], file["demo_2/x"] = [1, 2], [3, 4], [5, 6]


zoo.file(
    "layout",
    name="table_makes_no_episodes",
    options={"layout": "table"},
    features={"demo_0/x": value("int64"), "demo_1/x": value("int64"), "demo_2/x": value("int64")},
    rows=table({"demo_0/x": [1, 2], "demo_1/x": [3, 4], "demo_2/x": [5, 6]}),
)(raw_makes_no_episodes)


@zoo.file("no table", error=(LayoutError, ["a.h5"]), error_at="read")
def file_without_datasets(file: h5py.File) -> None:
    file.create_group("a/b")
    file.attrs["note"] = "nothing here"


@zoo.file(
    "attributes",
    features={"x": value("float64"), "g/y": value("int64")},
    rows=table({"x": [1.0, 2.0], "g/y": [3, 4]}),
    attrs={
        "title": "a run é",
        "version": 3,
        "rate": 0.5,
        "ok": True,
        "old": "bytes",
        "list": [1, 2, 3],
        "names": ["a", "b"],
        "matrix": [[1.0, 2.0], [3.0, 4.0]],
        "empty": None,
    },
    column_attrs={"x": {"unit": "m/s"}, "g/y": {"scale": 2}},
)
def attributes_of_every_kind(file: h5py.File) -> None:
    file["x"], file["g/y"] = [1.0, 2.0], [3, 4]
    file.attrs.update({"title": "a run é", "version": 3, "rate": 0.5, "ok": True, "old": np.bytes_(b"bytes")})
    file.attrs["list"], file.attrs["names"] = [1, 2, 3], ["a", "b"]
    file.attrs["matrix"], file.attrs["empty"] = np.array([[1.0, 2], [3, 4]]), h5py.Empty("f4")
    file["x"].attrs["unit"], file["g/y"].attrs["scale"] = "m/s", np.int16(2)


@zoo.file(
    "attributes",
    features={"x": list_of(value("int64"), 3), "time": value("float64")},
    rows=table({"x": [[1, 2, 3], [4, 5, 6]], "time": [0.5, 1.0]}),
    column_attrs={"time": {"units": "s"}},
    warns=["band"],
)
def attributes_of_dimension_scales(file: h5py.File) -> None:
    """Their attributes are lists of references."""
    file["x"], file["time"], file["band"] = [[1, 2, 3], [4, 5, 6]], [0.5, 1.0], [10, 20, 30]
    file["time"].make_scale("time")
    file["band"].make_scale("band")
    file["x"].dims[0].attach_scale(file["time"])
    file["x"].dims[1].attach_scale(file["band"])
    file["time"].attrs["units"] = "s"


@zoo.file(
    "attributes",
    features={"x": value("int64")},
    rows=table({"x": [1]}),
    attrs={"ok": 1},
)
def attributes_that_plain_python_lacks(file: h5py.File) -> None:
    """References, opaque data, compounds and enums as attributes keep nothing from loading."""
    file["x"] = [1]
    file.attrs["ok"] = 1
    file.attrs["reference"] = file["x"].ref
    file.attrs["opaque"] = np.void(b"\0\1")
    file.attrs["compound"] = np.array((1, 0.5), [("a", "i4"), ("b", "f8")])
    file.attrs.create("level", 1, dtype=h5py.enum_dtype({"low": 0, "high": 1}, "i1"))
    file.attrs["latin"] = np.bytes_(b"caf\xe9")
    file.attrs["wide"] = np.longdouble(1.5)
    file.attrs["complex"] = 1 + 2j
