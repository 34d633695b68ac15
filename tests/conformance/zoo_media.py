"""Opaque data, dates, encoded images, and the casts of ``features=``."""

from __future__ import annotations

import importlib.util

import datasets
import h5py
import numpy as np
from h5py import h5t

from tests.conformance.case import Either, Picture, Zoo, array, list_of, table, value
from tests.conformance.h5low import png_bytes, write_typed

__all__ = ["zoo"]

zoo = Zoo()
GREY = np.array([[[0, 50], [100, 255]], [[9, 8], [7, 6]]], np.uint8)
COLOUR = np.arange(24, dtype=np.uint8).reshape(2, 2, 2, 3)
PNGS = [png_bytes(GREY[0]), png_bytes(GREY[1])]
PICTURES = table({"img": [Picture(GREY[0].tolist()), Picture(GREY[1].tolist())]})
AS_IMAGE = {"features": datasets.Features({"img": datasets.Image()})}
ROW_DOORS = ("builder", "streaming", "view")


def has_pillow() -> bool:
    return importlib.util.find_spec("PIL") is not None


@zoo.file("opaque", features={"x": value("binary")}, rows=table({"x": [b"ab\0c", b"\xff\0\1\2", b"\0\0\0\0"]}))
def opaque(file: h5py.File) -> None:
    file.create_dataset("x", data=np.array([b"ab\0c", b"\xff\0\1\2", b"\0\0\0\0"], "V4"))


@zoo.file("opaque", features={"x": value("binary")}, rows=table({"x": [b"\1\2\3", b"abc"]}))
def opaque_with_a_tag(file: h5py.File) -> None:
    kind = h5t.create(h5t.OPAQUE, 3)
    kind.set_tag(b"RGB pixel")
    write_typed(file, "x", kind, np.array([b"\1\2\3", b"abc"], "V3"), memory=kind)


@zoo.file(
    "listed elements",
    features={"x": list_of(value("binary"), 2)},
    rows=table({"x": [[b"ab", b"\0\1"], [b"\xff\xff", b"cd"]]}),
)
def opaque_in_arrays(file: h5py.File) -> None:
    file.create_dataset("x", data=np.array([[b"ab", b"\0\1"], [b"\xff\xff", b"cd"]], "V2"))


def dates(unit: str, *texts: str) -> list[np.datetime64 | None]:
    return [None if text == "NaT" else np.datetime64(text, unit) for text in texts]


def write_times(file: h5py.File, name: str, times: np.ndarray) -> None:
    file.create_dataset(name, data=times.astype(h5py.opaque_dtype(times.dtype)))


MOMENTS = ("2024-02-29T12:30:15", "NaT", "1969-12-31T23:59:59")


@zoo.file(
    "dates",
    features={unit: value(f"timestamp[{unit}]") for unit in ("s", "ms", "us", "ns")},
    rows=table({unit: dates(unit, *MOMENTS) for unit in ("s", "ms", "us", "ns")}),
)
def datetimes(file: h5py.File) -> None:
    for unit in ("s", "ms", "us", "ns"):
        write_times(file, unit, np.array(MOMENTS, f"M8[{unit}]"))


@zoo.file(
    "dates",
    features={"x": value("timestamp[ns]")},
    rows=table({"x": dates("ns", "2024-02-29T12:30:15.123456789", "1970-01-01T00:00:00.000000001")}),
)
def datetimes_nanoseconds(file: h5py.File) -> None:
    times = ["2024-02-29T12:30:15.123456789", "1970-01-01T00:00:00.000000001"]
    write_times(file, "x", np.array(times, "M8[ns]"))


@zoo.file("dates", features={"x": value("timestamp[us]")}, rows=table({"x": dates("us", *MOMENTS)}))
def datetimes_big_endian(file: h5py.File) -> None:
    write_times(file, "x", np.array(MOMENTS, ">M8[us]"))


@zoo.file(
    "dates",
    features={"day": Either(value("timestamp[s]"), value("date32")), "minute": value("timestamp[s]")},
    rows=table({"day": dates("D", "2024-02-29", "NaT"), "minute": dates("m", "2024-02-29T12:30", "1960-01-01T00:01")}),
)
def datetimes_of_units_that_arrow_lacks(file: h5py.File) -> None:
    """Days and minutes are seconds exactly; a day may be a date."""
    write_times(file, "day", np.array(["2024-02-29", "NaT"], "M8[D]"))
    write_times(file, "minute", np.array(["2024-02-29T12:30", "1960-01-01T00:01"], "M8[m]"))


@zoo.file(
    "dates",
    features={"us": value("duration[us]"), "s": value("duration[s]"), "ns": value("duration[ns]")},
    rows=table(
        {
            "us": [np.timedelta64(1500000, "us"), None],
            "s": [np.timedelta64(-3, "s"), np.timedelta64(86400, "s")],
            "ns": [np.timedelta64(1, "ns"), np.timedelta64(5, "ns")],
        }
    ),
)
def timedeltas(file: h5py.File) -> None:
    write_times(file, "us", np.array([1500000, "NaT"], "m8[us]"))
    write_times(file, "s", np.array([-3, 86400], "m8[s]"))
    write_times(file, "ns", np.array([1, 5], "m8[ns]"))


@zoo.file(
    "listed elements",
    features={"x": list_of(value("timestamp[ms]"), 2)},
    rows=table({"x": [dates("ms", "2024-01-01", "2024-01-02"), dates("ms", "NaT", "1999-12-31")]}),
)
def datetimes_in_arrays(file: h5py.File) -> None:
    write_times(file, "x", np.array([["2024-01-01", "2024-01-02"], ["NaT", "1999-12-31"]], "M8[ms]"))


def write_vlen_images(file: h5py.File) -> None:
    images = file.create_dataset("img", (2,), dtype=h5py.vlen_dtype("u1"))
    for row, encoded in enumerate(PNGS):
        images[row] = np.frombuffer(encoded, "u1")


zoo.file(
    "media",
    name="image_bytes_vlen",
    features={"img": list_of(value("uint8"))},
    rows=table({"img": [list(encoded) for encoded in PNGS]}),
)(write_vlen_images)
zoo.file(
    "media",
    name="image_vlen_decoded",
    options=AS_IMAGE,
    features={"img": datasets.Image()},
    rows=PICTURES,
    doors=ROW_DOORS,
    available=has_pillow,
)(write_vlen_images)
zoo.file(
    "media",
    name="image_vlen_as_binary",
    options={"features": datasets.Features({"img": value("binary")})},
    features={"img": value("binary")},
    rows=table({"img": PNGS}),
    doors=ROW_DOORS,
)(write_vlen_images)


@zoo.file(
    "media",
    options=AS_IMAGE,
    features={"img": datasets.Image()},
    rows=PICTURES,
    doors=ROW_DOORS,
    available=has_pillow,
)
def image_opaque_decoded(file: h5py.File) -> None:
    size = max(map(len, PNGS))
    file.create_dataset("img", data=np.array([encoded.ljust(size, b"\0") for encoded in PNGS], f"V{size}"))


def write_fixed_images(file: h5py.File) -> None:
    """PNG bytes hold NULs, so that numpy's ``S`` cannot give them back."""
    size = max(map(len, PNGS)) + 3
    raw = np.frombuffer(b"".join(encoded.ljust(size, b"\0") for encoded in PNGS), f"S{size}")
    file.create_dataset("img", data=raw)


zoo.file(
    "media",
    name="image_fixed_string_decoded",
    options=AS_IMAGE,
    features={"img": datasets.Image()},
    rows=PICTURES,
    doors=ROW_DOORS,
    available=has_pillow,
)(write_fixed_images)
zoo.file(
    "binary",
    name="image_fixed_string_as_binary",
    options={"features": datasets.Features({"img": value("binary")})},
    features={"img": value("binary")},
    rows=table({"img": [encoded.ljust(max(map(len, PNGS)) + 3, b"\0") for encoded in PNGS]}),
)(write_fixed_images)


@zoo.file(
    "media",
    options=AS_IMAGE,
    features={"img": datasets.Image()},
    rows=PICTURES,
    doors=ROW_DOORS,
    available=has_pillow,
)
def image_grey_pixels(file: h5py.File) -> None:
    file["img"] = GREY


@zoo.file(
    "media",
    options=AS_IMAGE,
    features={"img": datasets.Image()},
    rows=table({"img": [Picture(COLOUR[0].tolist()), Picture(COLOUR[1].tolist())]}),
    doors=ROW_DOORS,
    available=has_pillow,
)
def image_colour_pixels(file: h5py.File) -> None:
    file["img"] = COLOUR


@zoo.file(
    "casts",
    options={"features": datasets.Features({"n": value("int64"), "x": value("float64")})},
    features={"n": value("int64"), "x": value("float64")},
    rows=table({"n": [1, -2], "x": [0.5, 1.5]}),
)
def casts_to_wider_numbers_and_selects(file: h5py.File) -> None:
    file["n"] = np.array([1, -2], "i2")
    file["x"] = np.array([0.5, 1.5], "f4")
    file["not_asked_for"] = np.arange(2)


@zoo.file(
    "casts",
    options={"features": datasets.Features({"x": array("float32", 2, 2)})},
    features={"x": array("float32", 2, 2)},
    rows=table({"x": [[[0.0, 1.0], [2.0, 255.0]]]}),
)
def casts_of_arrays(file: h5py.File) -> None:
    file["x"] = np.array([[[0, 1], [2, 255]]], "u1")


@zoo.file(
    "casts",
    options={"features": datasets.Features({"x": value("string")})},
    features={"x": value("string")},
    rows=table({"x": ["ab", "cd"]}),
)
def casts_opaque_to_string(file: h5py.File) -> None:
    file.create_dataset("x", data=np.array([b"ab", b"cd"], "V2"))


@zoo.file(
    "columns=",
    options={"columns": ["obs/*", "y"]},
    features={"obs/a": value("int64"), "obs/b": value("int64"), "y": value("int64")},
    rows=table({"obs/a": [1, 2], "obs/b": [3, 4], "y": [5, 6]}),
)
def columns_by_glob(file: h5py.File) -> None:
    file["obs/a"], file["obs/b"], file["y"], file["z"] = [1, 2], [3, 4], [5, 6], [7, 8]
