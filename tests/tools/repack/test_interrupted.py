"""A repack that is killed continues, one that fails leaves nothing behind, and strange files are refused."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from hf_h5.cli import main
from hf_h5.errors import ColumnError, DamagedFileError, DataError, H5Warning, OptionError
from hf_h5.tools.console import Console
from hf_h5.tools.repack import Wanted, command, pieces, run_repack
from hf_h5.tools.repack.layout import cut_blocks, suit_chunk
from tests.tools.repack.same import assert_same

REPOSITORY = Path(__file__).resolve().parents[3]
SLOW = """
import sys, time
from hf_h5.tools.repack import pieces
pieces.PIECE_BYTES = 100_000
write = pieces.write_piece
def slow(*arguments):
    write(*arguments)
    print("piece", flush=True)
    time.sleep(0.2)
pieces.write_piece = slow
from hf_h5.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    with h5py.File(tmp_path / "x.h5", "w") as handle:
        values = random.integers(0, 9, (4000, 10, 10)).astype("u1")
        handle.create_dataset("x", data=values, chunks=(64, 10, 10), compression="gzip")
        handle["y"] = np.arange(4000)
    return tmp_path / "x.h5"


def repack(file: Path, output: Path, **settings: object) -> int:
    return run_repack(str(file), str(output), Console(), wanted=Wanted(), **settings)


def test_a_run_that_is_killed_continues(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "out.h5"
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen(
        [sys.executable, "-c", SLOW, "repack", str(file), str(output)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
    ) as running:  # fmt: skip
        assert running.stdout is not None
        assert [running.stdout.readline() for _ in range(2)] == ["piece\n", "piece\n"]
        running.send_signal(signal.SIGKILL)
        running.communicate(timeout=60)
    assert not output.exists()
    monkeypatch.setattr(pieces, "PIECE_BYTES", 100_000)
    assert repack(file, output) == 0
    assert re.match(r"2 of \d+ pieces were there already", capsys.readouterr().err)
    assert_same(file, output)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["out.h5", "x.h5"]


def test_pieces_of_another_job_are_not_taken(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "PIECE_BYTES", 100_000)
    monkeypatch.setattr(command, "find_difference", interrupt)
    with pytest.raises(KeyboardInterrupt):
        repack(file, tmp_path / "out.h5")
    monkeypatch.undo()
    time.sleep(0.01)
    with h5py.File(file, "r+") as handle:
        handle["x"][0] = 77
    assert repack(file, tmp_path / "out.h5") == 0
    assert "already" not in capsys.readouterr().err
    assert_same(file, tmp_path / "out.h5")


def interrupt(*arguments: object) -> None:
    raise KeyboardInterrupt


def test_a_value_that_came_out_wrong_is_found_and_the_file_removed(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = pieces.write_block

    def wrong(dataset: object, block: object, values: np.ndarray, *more: object) -> None:
        raw = values.view("u1").copy()
        raw.flat[-1] ^= 1
        write(dataset, block, raw.view(values.dtype), *more)

    monkeypatch.setattr(pieces, "write_block", wrong)
    with pytest.raises(DataError, match="/x: values of rows"):
        repack(file, tmp_path / "out.h5")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["x.h5"]


def test_a_damaged_chunk_is_named_with_its_rows(file: Path, tmp_path: Path) -> None:
    with h5py.File(file, "r+") as handle:
        handle["x"].id.write_direct_chunk((64 * 40, 0, 0), b"no gzip")
    with pytest.raises(DamagedFileError, match=r"rows .* cannot be read.*x.h5::/x"):
        run_repack(str(file), str(tmp_path / "out.h5"), Console(), wanted=Wanted("training", 10, "gzip"))
    assert not (tmp_path / "out.h5").exists()
    with pytest.warns(H5Warning, match="/x stays as it is"):
        repack(file, tmp_path / "out.h5")


def test_what_may_not_be_written_is_said_first(file: Path, tmp_path: Path) -> None:
    (tmp_path / "there.h5").write_bytes(b"mine")
    for output in (tmp_path / "there.h5", file, tmp_path):
        with pytest.raises(OptionError):
            repack(file, output)
    with pytest.raises(ColumnError, match="did you mean 'x'"):
        repack(file, tmp_path / "out.h5", columns=["xx"])
    assert (tmp_path / "there.h5").read_bytes() == b"mine"
    assert repack(file, tmp_path / "there.h5", overwrite=True) == 0


@pytest.mark.parametrize("given", [["--chunk-rows", "0"], ["--limits", "seconds"], ["--limits", "second=3"]])
def test_wrong_options_are_errors_without_a_traceback(
    given: list[str], file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["repack", str(file), str(file.parent / "out.h5"), *given]) == 2
    assert capsys.readouterr().err.startswith("hf-h5: OptionError: ")


def test_chunks_are_whole_rows_of_the_bytes_that_suit() -> None:
    assert suit_chunk((60_000, 28, 28), 1, Wanted("training")) == (83, 28, 28)
    assert suit_chunk((60_000, 28, 28), 1, Wanted("streaming")) == (1337, 28, 28)
    assert suit_chunk((10, 4096, 4096), 8, Wanted("training")) == (1, 512, 4096)
    assert suit_chunk((100_000_000, 100), 8, Wanted("training")) == (1000, 100)
    assert suit_chunk((5, 3), 8, Wanted("training", 100)) == (5, 3)
    assert suit_chunk((5, 1 << 16, 1 << 16), 8, Wanted("training", 3))[0] == 1


def test_blocks_cover_every_element_once() -> None:
    covered = np.zeros((7, 5, 9), int)
    for block in cut_blocks(covered.shape, (2, 2, 4), 8, 200):
        covered[block] += 1
        assert covered[block].size * 8 <= 200
    assert (covered == 1).all()
