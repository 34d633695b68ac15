"""hf_h5.load: the mode that suits the files, one line about why, and the same rows in each."""

from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path
from typing import Any

import datasets
import h5py
import numpy as np
import pytest

import hf_h5
from hf_h5.describe.options import make_options
from hf_h5.errors import MissingFileError, OptionError
from hf_h5.mapped.table import H5MappedTable
from hf_h5.modes.load import choose_for
from tests.exact import assert_exact

N = 200
MODES = ("mapped", "cached", "direct")


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    with h5py.File(tmp_path / "plain.h5", "w") as out:
        out["image"] = np.arange(N * 12, dtype=np.uint8).reshape(N, 4, 3)
        out["label"] = np.arange(N)
    return tmp_path / "plain.h5"


@pytest.fixture
def packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a file whose random rows are slow: each lies in a chunk of 8 MB, and nothing is kept in memory."""
    monkeypatch.setattr("hf_h5.modes.choose._QUICK_BATCH_S", 0.001)
    monkeypatch.setattr("hf_h5.modes.measure._KEPT_BYTES", 0)
    values = np.repeat(np.arange(20, dtype="f4"), 200_000).reshape(20, -1)
    with h5py.File(tmp_path / "packed.h5", "w") as out:
        out.create_dataset("x", data=values, chunks=(10, 200_000), compression="gzip")
    return tmp_path / "packed.h5"


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err


def test_contiguous_files_are_mapped(plain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = hf_h5.load(plain)
    assert isinstance(found.data, H5MappedTable)
    assert said(capsys).splitlines()[0].startswith("hf_h5.load: mapped, as the columns lie in the file as Arrow wants")


def test_what_is_slow_to_decode_is_converted_once(packed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert isinstance(hf_h5.load(packed), datasets.Dataset)
    line = said(capsys).splitlines()[0]
    assert line.startswith("hf_h5.load: cached, as 256 random rows take about")
    assert line.endswith("mode= chooses another: 'direct', whose loader() shuffles whole epochs, needs no copy")
    assert hf_h5.load(packed)[7]["x"][:2] == [7.0, 7.0]
    assert "hf_h5.load: cached, as the files were converted before" in said(capsys)


@pytest.mark.parametrize(("kept_bytes", "mode"), [(256 << 20, "direct"), (1 << 20, "cached")])
def test_what_fits_into_the_memory_of_a_view_is_not_converted(
    packed: Path, kept_bytes: int, mode: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("hf_h5.modes.measure._KEPT_BYTES", kept_bytes)
    hf_h5.load(packed)
    assert f"hf_h5.load: {mode}, " in said(capsys)
    assert choose_for(str(packed), make_options(), {}).mode == mode


def test_lists_are_not_kept_in_memory(
    packed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("hf_h5.modes.measure._KEPT_BYTES", 256 << 20)
    with h5py.File(packed, "a") as out:
        out.create_dataset("y", (20,), h5py.vlen_dtype("f4"))[:] = list(np.zeros((20, 2), "f4"))
    assert isinstance(hf_h5.load(packed), datasets.Dataset)
    assert "hf_h5.load: cached, " in said(capsys)


def test_what_does_not_fit_the_disk_is_read_where_it_is(
    packed: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(10**9, 10**9, 10**6))
    view = hf_h5.load(packed)
    assert isinstance(view, hf_h5.H5TorchView)
    assert "hf_h5.load: direct, as converted they would take 16.0 MB, and 1.0 MB are free" in said(capsys)
    view.close()


def test_quick_chunks_are_read_directly(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as out:
        out.create_dataset("x", data=np.arange(N * 8, dtype=">f8").reshape(N, 8), chunks=(1, 8), compression="gzip")
    view = hf_h5.load(tmp_path / "a.h5", route="direct")
    assert "hf_h5.load: " in said(capsys)
    assert view[3]["x"][0] == 24.0


def test_every_mode_gives_the_same_rows_in_every_format(plain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = {mode: hf_h5.load(plain, mode=mode, columns=["label", "image"]) for mode in MODES}
    assert said(capsys) == ""
    assert [type(rows).__name__ for rows in found.values()] == ["Dataset", "Dataset", "H5TorchView"]
    for kind in (None, "torch", "numpy"):
        first, *others = (rows.with_format(kind)[5:8] for rows in found.values())
        for other in others:
            assert_exact(other, first)
    assert_exact(found["direct"][3], found["mapped"][3])
    assert len({str(rows.features) for rows in found.values()}) == 1


@pytest.mark.parametrize("mode", ["auto", *MODES])
def test_splits_are_a_dict_in_every_mode(tmp_path: Path, mode: str) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as out:
        out["train/x"], out["test/x"] = np.arange(6), np.arange(3)
    found = hf_h5.load(tmp_path / "a.h5", mode)
    assert {name: len(each) for name, each in found.items()} == {"train": 6, "test": 3}
    part = hf_h5.load(tmp_path / "a.h5", mode, split="train[:50%]+test")
    assert [row["x"] for row in part] == [0, 1, 2, 0, 1, 2]
    with pytest.raises((OptionError, ValueError), match="dev"):
        hf_h5.load(tmp_path / "a.h5", mode, split="dev")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("split", ["train", "test"])
def test_a_lone_split_inside_a_file_is_no_dict_in_any_mode(tmp_path: Path, split: str, mode: str) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as out:
        out[f"{split}/x"] = np.arange(9)
    assert hf_h5.load(tmp_path / "a.h5", mode)["x"][:] == list(range(9))
    with h5py.File(tmp_path / "b.h5", "w") as out:
        out["x"] = np.arange(9)
    assert list(hf_h5.load({split: tmp_path / "b.h5"}, mode)) == [split]


@pytest.mark.parametrize("mode", MODES)
def test_all_splits_at_once(tmp_path: Path, mode: str) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as out:
        out["test/x"], out["train/x"] = np.arange(2), np.arange(5)
    assert hf_h5.load(tmp_path / "a.h5", mode, split="all")["x"][:] == [0, 1, 2, 3, 4, 0, 1]


@pytest.mark.parametrize("mode", ["auto", *MODES])
def test_several_files_follow_each_other(plain: Path, mode: str) -> None:
    other = plain.with_name("other.h5")
    shutil.copy(plain, other)
    assert len(hf_h5.load([plain, other], mode)) == 2 * N
    named = hf_h5.load({"train": plain, "test": other}, mode)
    assert {name: len(each) for name, each in named.items()} == {"train": N, "test": N}


def test_what_is_open_already_is_read_directly(plain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with h5py.File(plain) as handle:
        assert hf_h5.load(handle)[2]["label"] == 2
    assert "direct, as the file is open already" in said(capsys)


def test_folders_are_converted(plain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (plain.parent / "folder").mkdir()
    shutil.copy(plain, plain.parent / "folder" / "a.h5")
    assert len(hf_h5.load(plain.parent / "folder")) == N
    assert "cached, as a folder" in said(capsys)


def test_nested_features_are_never_mapped(plain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found: Any = hf_h5.load(plain, nested=True)
    assert found[1]["label"] == 1
    assert "mapped" not in said(capsys)


def test_wrong_arguments(plain: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="mode='maped' is not one of 'auto', 'mapped', 'cached', 'direct'"):
        hf_h5.load(plain, "maped")
    with pytest.raises(OptionError, match=r"no option 'colums'\n.*columns"):
        hf_h5.load(plain, colums="label")
    with pytest.raises(MissingFileError, match=r"nothing\.h5"):
        hf_h5.load(tmp_path / "nothing.h5")
    with pytest.raises(OptionError, match="nested=True needs a conversion"):
        hf_h5.load(plain, "mapped", nested=True)


def test_without_a_cache_that_can_be_written_rows_are_read_where_they_are(
    plain: Path, packed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (plain.parent / "text").touch()
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(plain.parent / "text" / "cache"))
    for file in (plain, packed):
        assert isinstance(hf_h5.load(file), hf_h5.H5TorchView)
        assert "direct, as the cache of datasets cannot be written (" in said(capsys)
    assert bool(hf_h5.verify(plain))
