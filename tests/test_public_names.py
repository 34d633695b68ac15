"""What ``import hf_h5`` offers and what it costs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import hf_h5

ROOT = Path(hf_h5.__file__).parents[1]


def run(code: str, *flags: str) -> str:
    """Run Python in a process of its own and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", *flags, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.strip()


def test_every_public_name_is_there_and_described() -> None:
    for name in hf_h5.__all__:
        assert (getattr(hf_h5, name).__doc__ or "").strip(), name


def test_public_names_are_sorted_and_each_there_once() -> None:
    assert list(hf_h5.__all__) == sorted(set(hf_h5.__all__))


def test_the_names_that_users_write_are_public() -> None:
    assert {
        "H5Builder",
        "H5Config",
        "H5TorchView",
        "collate",
        "describe",
        "errors",
        "load",
        "open_dataset",
        "open_table",
    } <= set(hf_h5.__all__)


def test_every_public_name_is_offered_for_completion_and_by_star() -> None:
    assert set(hf_h5.__all__) <= set(dir(hf_h5))
    assert run("from hf_h5 import *; print(H5TorchView.__name__, collate.__name__)") == "H5TorchView collate"


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'hf_h5' has no attribute 'H5TorchVeiw'"):
        hf_h5.H5TorchVeiw  # noqa: B018


def test_importing_is_quiet_and_leaves_torch_out() -> None:
    code = "import hf_h5, sys; hf_h5.describe; print('torch' in sys.modules)"
    assert run(code) == "False"


def test_describing_and_reading_leave_torch_out(tmp_path: Path) -> None:
    code = (
        "import h5py, hf_h5, sys\n"
        f"with h5py.File({str(tmp_path / 'a.h5')!r}, 'w') as file: file['x'] = [1, 2, 3]\n"
        f"with hf_h5.open_table({str(tmp_path / 'a.h5')!r}) as reader: print(reader.read([2])['x'].tolist(), end=' ')\n"
        "print('torch' in sys.modules)"
    )
    assert run(code) == "[3] False"


def test_the_package_says_that_it_is_typed() -> None:
    assert (Path(hf_h5.__file__).parent / "py.typed").is_file()
