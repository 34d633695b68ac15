"""External links, external storage and virtual datasets over other files: refused, in the second file too."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import h5py
import numpy as np
import pytest

import hf_h5
from hf_h5.cli import main
from hf_h5.errors import DamagedFileError, H5Warning, RefusedError
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
    "way",
    [link, link_by_absolute_path, storage, storage_by_absolute_path, virtual],
    ids=lambda way: way.__name__,
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


def test_what_is_asked_for_is_refused_where_it_leads_outside(tmp_path: Path) -> None:
    # The option for files whose other datasets are not readable does not lift the refusal.
    file = write(tmp_path / "hostile.h5", link_inside_a_group)
    assert isinstance(refusal(DOORS["direct"], file, columns=["deep/er/y"]), RefusedError)


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An allowed folder, and the current one, which is not, with the secrets in it."""
    for name in ("allowed", "outside"):
        (tmp_path / name).mkdir()
    write_h5(tmp_path / "outside" / "secret.h5", {"x": SECRET})
    SECRET.tofile(tmp_path / "outside" / "secret.raw")
    monkeypatch.chdir(tmp_path / "outside")
    return tmp_path


def over(handle: h5py.File, name: str, inner: str = "x") -> None:
    layout = h5py.VirtualLayout((10,), "i8")
    layout[:] = h5py.VirtualSource(name, inner, (10,))
    handle.create_virtual_dataset("v", layout)


def over_numbered(handle: h5py.File, name: str, inner: str) -> None:
    """Make a virtual dataset of as many blocks as there are files; ``%b`` in the name counts them."""
    space = h5py.h5s.create_simple((10,), (h5py.h5s.UNLIMITED,))
    space.select_hyperslab((0,), (h5py.h5s.UNLIMITED,), (10,), (10,))
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_virtual(space, name.encode(), inner.encode(), h5py.h5s.create_simple((10,)))
    whole = h5py.h5s.create_simple((10,), (h5py.h5s.UNLIMITED,))
    h5py.h5d.create(handle.id, b"v", h5py.h5t.STD_I64LE, whole, plist)


def open_allowed(folders: Path, file: Path) -> Any:
    with hf_h5.open_table(file, allow_external=str(folders / "allowed")) as reader:
        return reader.read(slice(None))


@pytest.mark.parametrize(
    ("way", "name"),
    [
        ("link", "secret.h5"),
        ("link", "{}/allowed/secret.h5"),
        ("virtual", "secret.h5"),
        ("virtual", "missing/secret.h5"),
        ("virtual", "{}/allowed/secret.h5"),
    ],
)
def test_what_is_missing_in_the_allowed_folder_is_not_taken_from_the_current_one(
    folders: Path, way: str, name: str
) -> None:
    # The library looks there too, and by the last part of the name.
    target = name.format(folders)
    file = folders / "allowed" / "a.h5"
    with h5py.File(file, "w") as handle:
        handle["own"] = np.arange(3)
        if way == "link":
            handle["x"] = h5py.ExternalLink(target, "/x")
        else:
            over(handle, target)
    with pytest.raises(RefusedError):
        open_allowed(folders, file)


def test_external_storage_is_taken_from_beside_its_file(folders: Path) -> None:
    file = folders / "allowed" / "a.h5"
    with h5py.File(file, "w") as handle:
        handle.create_dataset("x", (10,), "i8", external=[("secret.raw", 0, 80)])
        handle.create_dataset("title", (1,), "i8", external=[("secret.raw", 0, 8)])
    with pytest.warns(H5Warning, match="title"), pytest.raises(DamagedFileError):
        open_allowed(folders, file)
    np.arange(10).tofile(folders / "allowed" / "secret.raw")
    with pytest.warns(H5Warning, match="title"):
        assert open_allowed(folders, file)["x"].tolist() == list(range(10))


HOPS: dict[str, Callable[[h5py.File, Path], None]] = {
    "link": lambda handle, secret: handle.__setitem__("v", h5py.ExternalLink(str(secret), "/x")),
    "storage": lambda handle, secret: handle.create_dataset(
        "v", (10,), "i8", external=[(str(secret.with_suffix(".raw")), 0, 80)]
    ),
    "virtual": lambda handle, secret: over(handle, str(secret)),
}


@pytest.mark.parametrize("second", HOPS)
@pytest.mark.parametrize("first", ["link", "link to a group", "virtual", "numbered"])
def test_a_second_step_out_of_the_allowed_folder_is_refused(folders: Path, first: str, second: str) -> None:
    with h5py.File(folders / "allowed" / "hop0.h5", "w") as handle:
        HOPS[second](handle, folders / "outside" / "secret.h5")
    file = folders / "allowed" / "a.h5"
    with h5py.File(file, "w") as handle:
        if first == "link":
            handle["x"] = h5py.ExternalLink("hop0.h5", "/v")
        elif first == "link to a group":
            handle["x"] = h5py.ExternalLink("hop0.h5", "/")
        elif first == "virtual":
            over(handle, "hop0.h5", "v")
        else:
            over_numbered(handle, "hop%b.h5", "v")
    with pytest.raises(RefusedError, match="secret"):
        open_allowed(folders, file)


def test_a_link_outside_of_an_open_group_is_not_reached_from_inside(folders: Path) -> None:
    with h5py.File(folders / "allowed" / "a.h5", "w") as handle:
        handle["out"] = h5py.ExternalLink(str(folders / "outside" / "secret.h5"), "/")
        over(handle, ".", "/out/x")
        handle["g/y"] = np.arange(10)
        handle.move("v", "g/v")
        with pytest.raises(RefusedError, match="secret"):
            hf_h5.open_table(handle["g"])


@pytest.fixture
def gathered(tmp_path: Path) -> Path:
    """A virtual dataset over three files, of which the second is gone."""
    layout = h5py.VirtualLayout((6,), "i8")
    for number in range(3):
        source = write_h5(tmp_path / f"part {number}.h5", {"x": np.full(2, number + 1)})
        layout[2 * number : 2 * number + 2] = h5py.VirtualSource(source.name, "x", (2,))
    with h5py.File(tmp_path / "all.h5", "w") as handle:
        handle.create_virtual_dataset("x", layout)
    (tmp_path / "part 1.h5").unlink()
    return tmp_path / "all.h5"


def test_rows_whose_file_is_gone_are_named(gathered: Path) -> None:
    with pytest.warns(H5Warning, match=r"'x' of .*all\.h5: rows of part 1\.h5::/x, which is not there") as caught:
        view = hf_h5.H5TorchView(gathered, allow_external=gathered.parent)
    # The user's own line, wherever in the package it was found.
    assert {each.filename for each in caught} == {__file__}
    assert view.with_format(None)["x"][:] == [1, 1, 0, 0, 3, 3]
    assert "part 1.h5" in str(hf_h5.describe(gathered, allow_external=gathered.parent))


def test_rows_whose_file_is_gone_are_not_repacked(gathered: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = gathered.with_name("new.h5")
    code = main(["repack", str(gathered), str(new), "--allow-external", str(gathered.parent)])
    assert code == 2
    assert "part 1.h5::/x, which is not there" in capsys.readouterr().err
    assert not new.exists()


def test_a_virtual_dataset_over_its_own_file_is_read_where_the_file_has_no_name(tmp_path: Path) -> None:
    file = write_h5(tmp_path / "a.h5", {"own": np.arange(4)})
    layout = h5py.VirtualLayout((4,), "i8")
    layout[:] = h5py.VirtualSource(".", "own", (4,))
    with h5py.File(file, "a") as handle:
        handle.create_virtual_dataset("x", layout)
    fsspec.filesystem("memory").pipe_file("/hf_h5_virtual/a.h5", file.read_bytes())
    with hf_h5.H5TorchView("memory://hf_h5_virtual/a.h5") as remote:
        assert remote.with_format(None)["x"][:] == [0, 1, 2, 3]
    with h5py.File(io.BytesIO(file.read_bytes())) as handle, hf_h5.H5TorchView(handle) as view:
        assert view.with_format(None)["x"][:] == [0, 1, 2, 3]
    assert main(["index", str(file)]) == 0
