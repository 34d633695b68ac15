"""`hf-h5 bench` measures every table that loads, says what it left out, and leaves nothing behind."""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from hf_h5.cli import main
from hf_h5.errors import LayoutError, OptionError
from hf_h5.tools.bench import Bench, Speed, bench, measure
from hf_h5.tools.bench.measure import rows_per_s
from hf_h5.tools.bench.page import to_page
from hf_h5.tools.bench.plot import draw_plot
from hf_h5.tools.bench.results import rate_text
from tests.written import write_h5

QUICK = {"seconds": 0.01}

RESULT = Bench(
    file="a.h5",
    split="train",
    n_rows=1000,
    n_measured=500,
    row_bytes=100,
    columns=("x", "<b>"),
    left_out={"z": "no tensor", "w": "no tensor"},
    speeds={
        "shuffled": {"class": Speed(1000.0), "direct": Speed(123456.0), "limit": Speed(None, "it is not known")},
        "random": {"class": Speed(1000.0), "direct": Speed(2e6)},
    },
    converting_rows_per_s=100.0,
    cached_row_bytes=200,
    threads=2,
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """600 small images in chunks, and their labels."""
    rows = {"x": np.arange(600 * 64, dtype=np.uint8).reshape(600, 8, 8), "y": np.arange(600)}
    return write_h5(tmp_path / "x.h5", rows, chunks=True, compression="gzip")


def test_every_way_is_measured(file: Path) -> None:
    found = bench(file, **QUICK)
    assert {work: [way for way in ways if ways[way].rows_per_s] for work, ways in found.speeds.items()} == {
        "shuffled": ["class", "h5py", "cached", "view", "direct", "limit"],
        "random": ["class", "cached", "view", "direct"],
        "single": ["class", "cached", "view", "direct"],
    }
    assert (found.n_rows, found.n_measured, found.row_bytes, found.left_out) == (600, 600, 72, {})


def test_of_a_large_file_whole_chunks_up_to_the_size_are_read(tmp_path: Path) -> None:
    write_h5(tmp_path / "x.h5", {"x": np.zeros((1000, 100), np.uint8)}, chunks=(30, 100))
    found = bench(tmp_path / "x.h5", max_bytes=10_000, **QUICK)
    assert found.n_measured == 90
    assert "measured on the first 90" in str(found)


def test_strings_lists_dates_and_compounds_are_measured_or_left_out_with_a_reason(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as handle:
        handle["text"] = [f"row {row}" for row in range(50)]
        handle["pair"] = np.rec.fromarrays([np.arange(50), np.arange(50) / 7], names="x,y")
        lists = handle.create_dataset("lists", (50,), h5py.vlen_dtype(np.int32))
        lists[:] = np.array([np.arange(row % 5) for row in range(50)], dtype=object)
        handle["when"] = np.arange(50).astype("M8[s]").astype(h5py.opaque_dtype("M8[s]"))
    found = bench(tmp_path / "x.h5", **QUICK)
    assert set(found.columns) == {"text", "pair/x", "pair/y", "lists"}
    assert set(found.left_out) == {"when"}
    assert found.speeds["shuffled"]["class"].rows_per_s
    assert found.speeds["shuffled"]["limit"].why


@pytest.mark.filterwarnings("ignore::hf_h5.errors.H5Warning")
@pytest.mark.parametrize("name", ["matlab_simple.mat", "tenx_v3_matrix.h5", "nwb_2_2.nwb", "radiosonde_compound.h5"])
def test_real_files_are_measured(realh5: Path, name: str) -> None:
    found = bench(realh5 / name, max_bytes="1MB", **QUICK)
    assert all(found.speeds[work][way].rows_per_s for work in found.speeds for way in ("cached", "direct"))


def test_fields_of_packed_records_are_copied_for_torch(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as handle:
        handle["x"] = np.zeros(50, np.dtype([("flag", "i1"), ("value", "f8")]))
    found = bench(tmp_path / "x.h5", **QUICK)
    assert all(found.speeds["shuffled"][way].rows_per_s for way in ("class", "h5py"))


def test_where_a_convention_makes_most_of_a_row_the_class_is_not_raced(realh5: Path) -> None:
    found = bench(realh5 / "tenx_v3_matrix.h5", columns=["X/*"], **QUICK)
    assert found.speeds["shuffled"]["class"] == Speed(None, "X/indices: a convention makes it of several datasets")


def test_a_split_is_chosen_and_no_rows_are_an_error(tmp_path: Path) -> None:
    write_h5(tmp_path / "x.h5", {"train/x": np.zeros((9, 2)), "test/x": np.zeros((0, 2))})
    assert bench(tmp_path / "x.h5", **QUICK).split == "train"
    with pytest.raises(OptionError, match="no split 'val'"):
        bench(tmp_path / "x.h5", split="val", **QUICK)
    with pytest.raises(LayoutError, match="no rows"):
        bench(tmp_path / "x.h5", split="test", **QUICK)


def test_a_slow_pass_is_cut_short_and_closed() -> None:
    closed = []

    def slow():
        try:
            for _ in range(1000):
                time.sleep(0.01)
                yield 1
        finally:
            closed.append(True)

    start_s = time.perf_counter()
    assert 0 < rows_per_s(slow, 0.03) <= 100
    assert time.perf_counter() - start_s < 2
    assert len(closed) >= 2


@pytest.mark.parametrize(("rate", "text"), [(0.0123, "0.0123"), (99.9, "99.9"), (1234.0, "1,230"), (None, "-")])
def test_speeds_have_three_digits(rate: float | None, text: str) -> None:
    assert rate_text(rate) == text


def test_the_table_has_a_line_for_each_way_and_says_what_is_not_known() -> None:
    text = str(RESULT)
    assert "hand-written class" in text
    assert "123,000" in text
    assert "no limit of the file: it is not known" in text
    assert "left out: z, w: no tensor" in text
    assert "10.0 s and 200.0 kB of disk" in text
    assert json.loads(json.dumps(RESULT.to_dict()))["speeds"]["random"]["direct"] == {"rows_per_s": 2e6, "why": None}


def test_the_page_stands_alone_and_escapes_names() -> None:
    page = to_page(replace(RESULT, file="<script>.h5"))
    assert "&lt;script&gt;.h5" in page
    assert "&lt;b&gt;" in page
    assert not any(text in page for text in ("<script", "http", "src="))


def test_the_plot_is_a_png(tmp_path: Path) -> None:
    draw_plot(RESULT, str(tmp_path / "a.png"))
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_the_command_writes_what_was_asked_for(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = file.with_name("a.html")
    assert main(["bench", str(file), "--seconds", "0.01", "--json", "--report", str(page)]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["n_rows"] == 600
    assert f"wrote {page}" in err
    assert "hand-written class" in page.read_text()


def test_interrupted_it_leaves_nothing_behind(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = file.parent / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))

    def interrupt(*_: object) -> None:
        assert list(scratch.glob("hf-h5-bench-*/**/*.arrow"))
        raise KeyboardInterrupt

    monkeypatch.setattr(measure, "rows_per_s", interrupt)
    assert main(["bench", str(file)]) == 130
    assert capsys.readouterr().err == "\ninterrupted\n"
    assert list(scratch.iterdir()) == []
