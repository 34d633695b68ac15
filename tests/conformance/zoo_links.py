"""Links, and what lies outside the file."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from h5py import h5d, h5s, h5t

from hf_h5.errors import RefusedError
from tests.conformance.case import Zoo, list_of, table, value
from tests.conformance.h5low import properties

__all__ = ["zoo"]

zoo = Zoo()
X = {"x": value("int64")}
X_ROWS = table({"x": [1, 2, 3]})


@zoo.file("links", features={"a": value("int64")}, rows=table({"a": [1, 2]}))
def hard_link_to_a_dataset(file: h5py.File) -> None:
    """One object, one column, under its first name."""
    file["a"] = [1, 2]
    file["b"] = file["a"]


@zoo.file("links", features={"data/x": value("int64")}, rows=table({"data/x": [1, 2]}))
def soft_link_to_a_dataset(file: h5py.File) -> None:
    """The dataset's own path wins over the name of a soft link."""
    file["data/x"] = [1, 2]
    file["alias"] = h5py.SoftLink("/data/x")
    file["zz"] = h5py.SoftLink("/alias")


@zoo.file("links", features={"g/x": value("int64"), "y": value("int64")}, rows=table({"g/x": [1, 2], "y": [3, 4]}))
def links_to_a_group(file: h5py.File) -> None:
    file["g/x"], file["y"] = [1, 2], [3, 4]
    file["h"], file["s"] = file["g"], h5py.SoftLink("/g")


@zoo.file("links", features={"g/x": value("int64")}, rows=table({"g/x": [1, 2]}))
def link_cycles(file: h5py.File) -> None:
    file["g/x"] = [1, 2]
    file["g/up"] = file["/"]
    file["g/self"] = file["g"]
    file["g/soft"] = h5py.SoftLink("/g")
    file["loop"] = h5py.SoftLink("/loop")


@zoo.file("links", features={"a": value("int64")}, rows=table({"a": [1, 2, 3]}))
def links_without_number(file: h5py.File) -> None:
    """Twenty groups, each linked twice into the next: 2**20 paths to one dataset."""
    file["a"] = [1, 2, 3]
    groups = [file.create_group(f"level_{n}") for n in range(20)]
    for group, inner in itertools.pairwise(groups):
        group["left"], group["right"] = inner, inner
    groups[-1]["x"] = file["a"]


@zoo.file("links", features=X, rows=X_ROWS)
def dangling_soft_link(file: h5py.File) -> None:
    file["x"] = [1, 2, 3]
    file["gone"] = h5py.SoftLink("/no/such/thing")


@zoo.file("links", features={"data/x": value("int64")}, rows=table({"data/x": [1, 2]}))
def relative_soft_link(file: h5py.File) -> None:
    file["data/x"] = [1, 2]
    file["data/y"] = h5py.SoftLink("x")


def allowed(folder: Path) -> dict[str, Any]:
    return {"allow_external": str(folder / "outside")}


def not_allowed(folder: Path) -> dict[str, Any]:
    return {"allow_external": str(folder / "elsewhere")}


def write_pair(folder: Path) -> tuple[Path, Path]:
    """Write the file that is pointed at, into a folder of its own; return it and the file to write."""
    (folder / "outside").mkdir()
    (folder / "elsewhere").mkdir()
    target = folder / "outside" / "target.h5"
    with h5py.File(target, "w") as file:
        file["x"] = np.array([1, 2, 3])
        file["g/x"] = np.array([1, 2, 3])
    return target, folder / "a.h5"


def external_link(folder: Path) -> list[Path]:
    target, main = write_pair(folder)
    with h5py.File(main, "w") as file:
        file["x"] = h5py.ExternalLink(str(target.relative_to(folder)), "/x")
        file["y"] = [4, 5, 6]
    return [main]


def external_link_to_a_group(folder: Path) -> list[Path]:
    target, main = write_pair(folder)
    with h5py.File(main, "w") as file:
        file["linked"] = h5py.ExternalLink(str(target), "/g")
        file["y"] = [4, 5, 6]
    return [main]


def external_link_to_a_missing_file(folder: Path) -> list[Path]:
    with h5py.File(folder / "a.h5", "w") as file:
        file["x"] = h5py.ExternalLink("no_such_file.h5", "/x")
        file["y"] = [4, 5, 6]
    return [folder / "a.h5"]


def soft_link_to_an_external_link(folder: Path) -> list[Path]:
    target, main = write_pair(folder)
    with h5py.File(main, "w") as file:
        file["g/out"] = h5py.ExternalLink(str(target), "/")
        file["x"] = h5py.SoftLink("/g/out/x")
        file["y"] = [4, 5, 6]
    return [main]


def external_storage(folder: Path) -> list[Path]:
    _, main = write_pair(folder)
    raw = folder / "outside" / "raw.bin"
    raw.write_bytes(b"\xff" * 16 + np.array([1, 2, 3], "<i8").tobytes())
    with h5py.File(main, "w") as file:
        file.create_dataset("x", (3,), "<i8", external=[(str(raw), 16, 24)])
    return [main]


def virtual_dataset(folder: Path) -> list[Path]:
    target, main = write_pair(folder)
    layout = h5py.VirtualLayout((3,), "i8")
    layout[:] = h5py.VirtualSource(str(target), "x", (3,))
    with h5py.File(main, "w") as file:
        file.create_virtual_dataset("x", layout)
    return [main]


def virtual_dataset_over_a_virtual_dataset(folder: Path) -> list[Path]:
    """The column asked for points into the file itself, at what points outside."""
    target, main = write_pair(folder)
    outer, inner = h5py.VirtualLayout((3,), "i8"), h5py.VirtualLayout((3,), "i8")
    inner[:] = h5py.VirtualSource(str(target), "x", (3,))
    outer[:] = h5py.VirtualSource(".", "inner", (3,))
    with h5py.File(main, "w") as file:
        file.create_virtual_dataset("inner", inner)
        file.create_virtual_dataset("x", outer)
    return [main]


REFUSED = (
    external_link,
    external_link_to_a_group,
    external_link_to_a_missing_file,
    soft_link_to_an_external_link,
    external_storage,
    virtual_dataset,
    virtual_dataset_over_a_virtual_dataset,
)
for _write in REFUSED:
    zoo.folder(
        "external",
        name=f"{_write.__name__}_refused",
        error=(RefusedError, ["a.h5::/", "allow_external"]),
    )(_write)
for _write in (external_link, external_storage, virtual_dataset):
    zoo.folder(
        "external",
        name=f"{_write.__name__}_of_another_folder_refused",
        options=not_allowed,
        error=(RefusedError, ["a.h5::/x", "allow_external"]),
    )(_write)
zoo.folder(
    "external",
    name="virtual_dataset_over_a_virtual_dataset_refused_as_a_column",
    options={"columns": ["x"]},
    error=(RefusedError, ["a.h5", "allow_external"]),
)(virtual_dataset_over_a_virtual_dataset)
zoo.folder(
    "external",
    name="external_link_allowed",
    options=allowed,
    features={"x": value("int64"), "y": value("int64")},
    rows=table({"x": [1, 2, 3], "y": [4, 5, 6]}),
)(external_link)
zoo.folder(
    "external",
    name="external_link_to_a_group_allowed",
    options=allowed,
    features={"linked/x": value("int64"), "y": value("int64")},
    rows=table({"linked/x": [1, 2, 3], "y": [4, 5, 6]}),
)(external_link_to_a_group)
for _write in (external_storage, virtual_dataset):
    zoo.folder("external", name=f"{_write.__name__}_allowed", options=allowed, features=X, rows=X_ROWS)(_write)
# Refused also where no column needs them: reading only what was asked for must not depend on who asks.
for _write in (external_link, external_link_to_a_missing_file, external_link_to_a_group):
    zoo.folder(
        "external",
        name=f"{_write.__name__}_not_asked_for",
        options={"columns": ["y"]},
        error=(RefusedError, ["a.h5", "allow_external"]),
        error_at="open",
    )(_write)


@zoo.file(
    "same-file virtual", features={"v": value("int64")}, rows=table({"v": [1, 2, 3, 4]}), options={"columns": ["v"]}
)
def virtual_dataset_over_the_same_file(file: h5py.File) -> None:
    file["parts/a"], file["parts/b"] = [1, 2, 3], [4]
    layout = h5py.VirtualLayout((4,), "i8")
    layout[:3] = h5py.VirtualSource(file["parts/a"])
    layout[3:] = h5py.VirtualSource(file["parts/b"])
    file.create_virtual_dataset("v", layout)


@zoo.file(
    "same-file virtual",
    features={"v": list_of(value("float32"), 2), "x": value("float32")},
    rows=table({"v": [[1.0, -1.0], [2.0, -1.0], [3.0, -1.0]], "x": [1.0, 2.0, 3.0]}),
)
def virtual_dataset_partly_mapped(file: h5py.File) -> None:
    """What no source fills has the fill value."""
    file["x"] = np.array([1, 2, 3], "f4")
    layout = h5py.VirtualLayout((3, 2), "f4")
    layout[:, 0] = h5py.VirtualSource(file["x"])
    file.create_virtual_dataset("v", layout, fillvalue=-1)


@zoo.file("same-file virtual", features={"v": value("int64")}, rows=table({"v": [1, 2, 3]}), options={"columns": ["v"]})
def virtual_dataset_that_names_its_own_file(file: h5py.File) -> None:
    """The source is the file's own name instead of a dot."""
    file["x"] = [1, 2, 3]
    dcpl = properties()
    whole = h5s.create_simple((3,))
    dcpl.set_virtual(whole, b"a.h5", b"/x", whole)
    h5d.create(file.id, b"v", h5t.STD_I64LE, whole, dcpl)
