"""A repacked file holds what the file held: by h5py, object by object, over the zoo, real files and drawn ones."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hf_h5
from hf_h5.cli import main
from hf_h5.errors import H5Error, RefusedError
from hf_h5.tools.console import Console
from hf_h5.tools.repack import Wanted, run_repack
from tests.conformance import (
    zoo_compounds,
    zoo_corners,
    zoo_filters,
    zoo_labels,
    zoo_layouts,
    zoo_links,
    zoo_media,
    zoo_ragged,
    zoo_strings,
)
from tests.properties.strategies import FilePlan, file_plans
from tests.tools.repack.same import assert_same

REAL = Path(__file__).resolve().parents[4] / "shared" / "realh5"
REAL_FILES = sorted(path for path in REAL.glob("*") if path.suffix != ".md" and path.stat().st_size < 700_000)
# Those that are about what HDF5 stores, and not about what becomes of it.
ROOMS = (
    *(zoo_compounds, zoo_corners, zoo_filters, zoo_labels, zoo_layouts),
    *(zoo_links, zoo_media, zoo_ragged, zoo_strings),
)
CASES = [case for room in ROOMS for case in room.zoo.cases]
WANTED = (Wanted("training"), Wanted("streaming"), Wanted("training", 3, "gzip"), Wanted("training", None, "none"))


@pytest.fixture(autouse=True)
def _everything_is_big(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small files are taken for big ones: every dataset is stored anew, in many pieces and blocks."""
    monkeypatch.setattr("hf_h5.tools.repack.storage.SMALL_BYTES", 0)
    monkeypatch.setattr("hf_h5.tools.repack.pieces.PIECE_BYTES", 4096)
    monkeypatch.setattr("hf_h5.tools.repack.pieces._BLOCK_BYTES", 1024)
    monkeypatch.setattr("hf_h5.tools.repack.objects._BLOCK_BYTES", 1024)


def repacked(file: Path, wanted: Wanted, **options: object) -> Path:
    output = file.with_name(f"repacked {file.name}")
    assert run_repack(str(file), str(output), Console(quiet=True), wanted=wanted, overwrite=True, **options) == 0
    return output


@pytest.mark.filterwarnings("ignore::hf_h5.errors.H5Warning")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_animals_of_the_zoo_stay_what_they_are(case: object, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    for number, file in enumerate(case.write(folder)):
        try:
            output = repacked(Path(file), WANTED[number % len(WANTED)])
        except H5Error as error:
            # What no reader of the package opens is not repacked either.
            with pytest.raises(type(error)):
                hf_h5.describe(str(file))
            continue
        assert_same(Path(file), output)


@pytest.mark.skipif(not REAL_FILES, reason="the real files are not here")
@pytest.mark.parametrize("file", REAL_FILES, ids=lambda file: file.name)
def test_real_files_stay_what_they_are_and_load_the_same(file: Path, tmp_path: Path) -> None:
    output = tmp_path / file.name
    wanted = WANTED[len(file.name) % len(WANTED)]
    assert run_repack(str(file), str(output), Console(quiet=True), wanted=wanted) == 0
    assert_same(file, output)
    before, after = (hf_h5.describe(str(each)).tables for each in (file, output))
    assert {name: (table.num_rows, _features(table)) for name, table in before.items()} == {
        name: (table.num_rows, _features(table)) for name, table in after.items()
    }


def _features(table: object) -> dict[str, str]:
    return {name: column.feature_text for name, column in table.columns.items()}


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=file_plans(), wanted=st.sampled_from(WANTED))
def test_drawn_files_stay_what_they_are(
    plan: FilePlan, wanted: Wanted, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = plan.write(tmp_path_factory.mktemp("drawn") / "x.h5")
    assert_same(file, repacked(file, wanted))


def written(folder: Path) -> Path:
    """All that points elsewhere, or is easily forgotten."""
    file = folder / "x.h5"
    with h5py.File(file, "w", userblock_size=512, track_order=True, libver="v108") as handle:
        handle.attrs["big"] = np.arange(20_000)
        handle.attrs["nothing"] = h5py.Empty("f4")
        x = handle.create_dataset("z/x", (100, 7), ">f4", chunks=(9, 2), maxshape=(None, 7), fillvalue=-1.5)
        x[20:60] = np.random.default_rng(0).random((40, 7))
        handle["z/time"] = np.arange(100.0)
        handle["z/time"].make_scale("time")
        x.dims[0].attach_scale(handle["z/time"])
        handle["type"] = np.dtype([("a", "<i2"), ("b", "S3", (2,))])
        handle.create_dataset("a/typed", (50,), handle["type"], chunks=(7,))[:] = np.array(
            (3, [b"x", b"yz"]), handle["type"].dtype
        )
        handle["same"] = x
        handle["soft"], handle["nowhere"] = h5py.SoftLink("/z/x"), h5py.SoftLink("/q")
        handle["a/loop"] = handle["a"]
        handle["points"] = np.array([x.ref, handle["a"].ref, h5py.Reference()], h5py.ref_dtype)
        handle["regions"] = np.array([x.regionref[3:9, ::2]], h5py.regionref_dtype)
        handle["a"].attrs["to"] = x.ref
        handle["a"].attrs["many"] = np.array([handle.ref, x.ref], h5py.ref_dtype)
        handle["a/named by both"] = np.zeros(3)
        mixed = np.dtype([("at", h5py.ref_dtype), ("name", h5py.string_dtype()), ("list", h5py.vlen_dtype("<i4"))])
        handle.create_dataset("a/mixed", (2,), mixed)[0] = (x.ref, "größe", np.array([1, 2], "<i4"))
        handle.create_dataset("words", (30,), h5py.string_dtype(), chunks=(4,))[:5] = ["a", "", "日", "b", "c"]
        handle.create_dataset("never", (1000, 1000), "u1", chunks=(100, 100), fillvalue=7)
        handle.create_dataset("checked", (400,), "<i4", chunks=(50,), compression="gzip", fletcher32=True)[:] = 5
        handle["scalar"], handle["none"], handle["empty"] = 3.5, h5py.Empty("i8"), np.zeros((0, 4))
        handle.create_dataset("few", (1000, 4), "<i8", chunks=(10, 4))[500:510] = 9
        layout = h5py.VirtualLayout((100, 7), ">f4")
        layout[:] = h5py.VirtualSource(x)
        handle.create_virtual_dataset("view", layout)
    with open(file, "rb+") as stream:
        stream.write(b"MATLAB 7.3 MAT-file")
    return file


@pytest.mark.parametrize("wanted", WANTED, ids=str)
def test_everything_else_is_kept(wanted: Wanted, tmp_path: Path) -> None:
    file = written(tmp_path)
    output = repacked(file, wanted)
    assert_same(file, output)
    with h5py.File(output) as after:
        assert list(after) == ["z", "type", "a", *list(after)[3:]]
        assert after["few"].chunks is None or after["few"].id.get_num_chunks() <= 10 // after["few"].chunks[0] + 2
        assert after["z/x"].dims[0]["time"] == after["z/time"]
        assert after["view"].is_virtual


def test_only_the_columns_that_are_named_are_stored_anew(tmp_path: Path) -> None:
    file = written(tmp_path)
    output = repacked(file, Wanted("training", 10, "gzip"), columns=["z", "fe*"])
    assert_same(file, output)
    with h5py.File(output) as after:
        assert (after["z/x"].chunks, after["few"].chunks, after["checked"].chunks) == ((10, 7), (10, 4), (50,))


def test_rows_of_other_files_are_copied_in_where_that_is_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with h5py.File(tmp_path / "part.h5", "w") as handle:
        handle["x"] = np.arange(600.0)
    layout = h5py.VirtualLayout((600,), "f8")
    layout[:] = h5py.VirtualSource(tmp_path / "part.h5", "x", (600,))
    with h5py.File(tmp_path / "all.h5", "w") as handle:
        handle.create_virtual_dataset("x", layout, fillvalue=3)
        handle.create_dataset("y", (600,), "<f8", external=[("y.raw", 0, 4800)])[:] = np.arange(600)
        handle["elsewhere"] = h5py.ExternalLink("part.h5", "/x")
    with pytest.raises(RefusedError):
        repacked(tmp_path / "all.h5", Wanted())
    # The library would take this one, which nobody allowed.
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "y.raw").write_bytes(b"secrets!" * 600)
    monkeypatch.chdir(tmp_path / "elsewhere")
    output = repacked(tmp_path / "all.h5", Wanted(), allow_external=[str(tmp_path)], columns=["x"])
    with h5py.File(output) as after:
        assert not after["x"].is_virtual
        assert after["y"].external is None
        assert after.get("elsewhere", getlink=True).filename == "part.h5"
        np.testing.assert_array_equal(after["x"], np.arange(600.0))
        np.testing.assert_array_equal(after["y"], np.arange(600.0))


def test_the_command_prints_what_changed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path)
    output = str(tmp_path / "new.h5")
    assert main(["repack", str(file), output, "--codec", "gzip", "--columns", "few"]) == 0
    out, err = capsys.readouterr()
    assert "/few: chunks 10x4 -> chunks 1000x4 gzip" in out
    assert "every value is the same" in out
    assert err == ""
    assert main(["repack", str(file), output, "--overwrite", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["changed"]["/few"][1]["codec"] == "lz4"
    assert main(["repack", str(file), output, "--overwrite", "-q"]) == 0
    assert capsys.readouterr().out == f"{output}\n"


def test_what_nothing_here_reads_is_said_to_be_not_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = np.arange(20)
        short = h5py.h5t.STD_I32LE.copy()
        short.set_size(3)
        space = h5py.h5s.create_simple((4,))
        h5py.h5d.create(file.id, b"odd", h5py.h5t.vlen_create(short), space).close()
    with pytest.warns(hf_h5.errors.H5Warning, match=r"/odd of .*a\.h5: copied as stored and not compared"):
        run_repack(str(tmp_path / "a.h5"), str(tmp_path / "b.h5"), Console(), wanted=Wanted("training"))
    assert "every value that can be read is the same" in capsys.readouterr().out
