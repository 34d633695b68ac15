"""The end of ``make demo`` pushes, loads back and says that all values are the same; one wrong value ends it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from hf_h5.tools.digits import write_digits

REPOSITORY = Path(__file__).resolve().parents[2]


def test_the_demo_goes_to_a_hub_and_back(tmp_path: Path) -> None:
    write_digits(str(tmp_path / "digits.h5"))
    command = [sys.executable, "-m", "tests.hub.demo", str(tmp_path / "digits.h5")]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("same features, all 116,805 values equal") == 3
    assert done.stdout.splitlines()[-1].endswith("what came back from the Hub is what the file holds.")
    assert done.stderr == ""
