"""What the doctor predicts, and what is measured: ``make bench ARGS="-k doctor"`` prints both.

The constants of the model were found with the files named "for calibration"; the others say how well they hold.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
import pytest

from hf_h5.tools.bench import bench
from hf_h5.tools.doctor import diagnose

TITLE = "predicted by the doctor, rows/s"
HEADINGS = ("file", "set", "mode", "work", "predicted", "measured", "ratio")
RANDOM = np.random.default_rng(0)
GZIP: dict[str, Any] = {"compression": "gzip", "compression_opts": 4}


def images(n_rows: int) -> np.ndarray:
    """Return pictures with smooth parts and specks."""
    slope = np.linspace(0, 128, 64)[:, None, None] + np.linspace(0, 100, 64)[None, :, None]
    specks = RANDOM.random((n_rows, 64, 64, 3), np.float32) < 0.15
    return (slope + specks * 3).astype(np.uint8)


def numbers(*shape: int) -> np.ndarray:
    return RANDOM.standard_normal(shape).astype("<f4")


def write(file: Path, datasets: dict[str, Any], **keywords: Any) -> None:
    with h5py.File(file, "w") as handle:
        for name, values in datasets.items():
            handle.create_dataset(name, data=values, **keywords)


def strings(file: Path) -> None:
    words = np.array([f"word {row} " * (row % 7) for row in range(20_000)], object)
    write(file, {"text": words}, dtype=h5py.string_dtype())


def episodes(file: Path) -> None:
    write(file, {f"demo_{number}/{name}": numbers(200, 8) for number in range(60) for name in ("obs", "actions")})


def compound(file: Path) -> None:
    rows = np.rec.fromarrays([np.arange(100_000), numbers(100_000), numbers(100_000)], names="a,b,c")
    write(file, {"rows": rows}, chunks=(4096,), **GZIP)


FILES: dict[str, tuple[str, Callable[[Path], None]]] = {
    "gzip images": ("calibration", lambda file: write(file, {"x": images(2048)}, chunks=(64, 64, 64, 3), **GZIP)),
    "plain images": ("calibration", lambda file: write(file, {"x": images(4096), "y": np.arange(4096)})),
    "20 columns": (
        "calibration",
        lambda file: write(file, {f"c{number}": numbers(100_000) for number in range(20)}, chunks=(8192,)),
    ),
    "chunks of one row": (
        "calibration",
        lambda file: write(file, {"x": images(2048)}, chunks=(1, 64, 64, 3), compression="lzf"),
    ),
    "lzf images": ("check", lambda file: write(file, {"x": images(2048)}, chunks=(32, 64, 64, 3), compression="lzf")),
    "embeddings": (
        "check",
        lambda file: write(file, {"x": numbers(40_000, 128)}, chunks=(1024, 128), shuffle=True, **GZIP),
    ),
    "zstd fields": (
        "check",
        lambda file: write(file, {"x": numbers(128, 3, 128, 128)}, chunks=(1, 3, 128, 128), **hdf5plugin.Zstd()),
    ),
    "rows in many chunks": ("check", lambda file: write(file, {"x": numbers(4000, 2000)}, chunks=(200, 250), **GZIP)),
    "narrow rows": ("check", lambda file: write(file, {"x": numbers(200_000, 4), "y": np.arange(200_000)})),
    "compound": ("check", compound),
    "strings": ("check", strings),
    "episodes": ("check", episodes),
}


@pytest.mark.parametrize("name", FILES)
def bench_doctor(name, tmp_path, add_line):
    kind, make = FILES[name]
    file = tmp_path / "x.h5"
    make(file)
    compare(file, name, kind, add_line)


@pytest.mark.parametrize(
    "name", ["cats_train.h5", "d4rl_trajectories.hdf5", "gesture.h5", "altitude_grid.h5", "code_posneg.h5"]
)
@pytest.mark.filterwarnings("ignore::hf_h5.errors.H5Warning")
def bench_doctor_real(name, add_line):
    file = Path(__file__).resolve().parents[3] / "shared" / "realh5" / name
    if not file.exists():
        pytest.skip("no real files")
    compare(file, name, "check", add_line)


def compare(file: Path, name: str, kind: str, add_line: Callable[..., None]) -> None:
    found = diagnose(file)
    assert found.table is not None
    measured = bench(file, split=found.table.split, max_bytes="64MB", seconds=0.5, cache_bytes=0)
    for work in ("shuffled", "random"):
        for mode in ("direct", "cached", "cached view"):
            speed = measured.speeds[work].get(mode.replace("cached view", "view"))
            predicted = found.predicted[mode][work]
            if speed is not None and speed.rows_per_s:
                ratio = predicted / speed.rows_per_s
                line = (name, kind, mode, work, f"{predicted:,.0f}", f"{speed.rows_per_s:,.0f}", f"{ratio:.2f}")
                add_line(TITLE, HEADINGS, line)
