"""External links, external storage and virtual datasets over other files: refused, in the second file too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import hf_h5
from hf_h5.errors import RefusedError
from tests.bad_input.doors import DOORS, refusal
from tests.written import write_h5

SECRET = np.arange(10, dtype=np.int64) + 7_000


def link(handle: h5py.File, secret: Path) -> None:
    handle["x"] = h5py.ExternalLink(secret.name, "/x")


def link_to_group(handle: h5py.File, secret: Path) -> None:
    handle["x"] = np.arange(10)
    handle["more"] = h5py.ExternalLink(secret.name, "/")


def link_by_absolute_path(handle: h5py.File, secret: Path) -> None:
    handle["x"] = h5py.ExternalLink(str(secret), "/x")


def link_inside_a_group(handle: h5py.File, secret: Path) -> None:
    handle["x"] = np.arange(10)
    handle["deep/er/y"] = h5py.ExternalLink(secret.name, "/x")


def storage(handle: h5py.File, secret: Path) -> None:
    raw = secret.with_name("secret.raw")
    SECRET.tofile(raw)
    handle.create_dataset("x", (10,), "i8", external=[(raw.name, 0, 80)])


def storage_by_absolute_path(handle: h5py.File, secret: Path) -> None:
    raw = secret.with_name("secret.raw")
    SECRET.tofile(raw)
    handle.create_dataset("x", (10,), "i8", external=[(str(raw), 0, 80)])


def virtual(handle: h5py.File, secret: Path) -> None:
    layout = h5py.VirtualLayout((10,), "i8")
    layout[:] = h5py.VirtualSource(secret.name, "x", (10,))
    handle.create_virtual_dataset("x", layout)


def virtual_beside_its_own(handle: h5py.File, secret: Path) -> None:
    handle["own"] = np.arange(10)
    layout = h5py.VirtualLayout((20,), "i8")
    layout[:10] = h5py.VirtualSource(handle["own"])
    layout[10:] = h5py.VirtualSource(secret.name, "x", (10,))
    handle.create_virtual_dataset("x", layout)


WAYS = {
    way.__name__: way
    for way in (
        link,
        link_to_group,
        link_by_absolute_path,
        link_inside_a_group,
        storage,
        storage_by_absolute_path,
        virtual,
        virtual_beside_its_own,
    )
}
every_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
every_door = pytest.mark.parametrize("door", [*DOORS.values(), hf_h5.describe], ids=[*DOORS, "describe"])


def write(file: Path, way: Callable[[h5py.File, Path], None]) -> str:
    secret = write_h5(file.with_name("secret.h5"), {"x": SECRET})
    with h5py.File(file, "w") as handle:
        way(handle, secret)
    return str(file)


@every_door
@every_way
def test_what_leads_outside_is_refused(tmp_path: Path, door: Callable[..., Any], way: Callable[..., None]) -> None:
    file = write(tmp_path / "hostile.h5", way)
    error = refusal(door, file)
    assert isinstance(error, RefusedError)
    assert isinstance(error, PermissionError)
    assert error.file == file
    assert error.path in ("/x", "/more", "/deep/er/y")
    assert "secret" in error.problem
    assert "allow_external" in str(error)


@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
@every_way
def test_what_leads_outside_is_refused_in_the_second_file_too(
    tmp_path: Path, door: Callable[..., Any], way: Callable[..., None]
) -> None:
    harmless = write_h5(tmp_path / "a.h5", {"x": np.arange(10)})
    hostile = write(tmp_path / "b.h5", way)
    error = refusal(door, [str(harmless), hostile])
    assert isinstance(error, RefusedError)
    assert error.file == hostile


@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
@every_way
def test_an_allowed_folder_that_is_another_one_does_not_help(
    tmp_path: Path, door: Callable[..., Any], way: Callable[..., None]
) -> None:
    (tmp_path / "elsewhere").mkdir()
    file = write(tmp_path / "hostile.h5", way)
    assert isinstance(refusal(door, file, allow_external=str(tmp_path / "elsewhere")), RefusedError)


@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
@pytest.mark.parametrize(
    "way", [link, link_by_absolute_path, storage_by_absolute_path, virtual], ids=lambda way: way.__name__
)
def test_an_allowed_folder_is_read(tmp_path: Path, door: Callable[..., Any], way: Callable[..., None]) -> None:
    file = write(tmp_path / "friendly.h5", way)
    found = door(file, allow_external=str(tmp_path))
    column = [row["x"] for row in found] if isinstance(found, list) else list(found["x"])
    assert [int(value) for value in column] == SECRET.tolist()


@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
def test_a_virtual_dataset_over_its_own_file_is_read(tmp_path: Path, door: Callable[..., Any]) -> None:
    file = write_h5(tmp_path / "a.h5", {"own": SECRET})
    with h5py.File(file, "a") as handle:
        layout = h5py.VirtualLayout((10,), "i8")
        layout[:5] = h5py.VirtualSource(handle["own"])[5:]
        layout[5:] = h5py.VirtualSource(handle["own"])[:5]
        handle.create_virtual_dataset("x", layout)
    found = door(str(file))
    column = [row["x"] for row in found] if isinstance(found, list) else list(found["x"])
    assert [int(value) for value in column] == [*SECRET[5:].tolist(), *SECRET[:5].tolist()]


def test_columns_that_stay_inside_are_read_beside_one_that_leads_outside(tmp_path: Path) -> None:
    # The option for files whose other datasets are not readable does not lift the refusal of what is asked for.
    file = write(tmp_path / "hostile.h5", link_inside_a_group)
    assert isinstance(refusal(DOORS["direct"], file, columns=["deep/er/y"]), RefusedError)
