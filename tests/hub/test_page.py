"""The page on pushing runs, command by command and block by block, against a hub."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from hf_h5.tools.digits import write_digits

from ..howto.pages import REPOSITORY, python_blocks
from . import users
from .client import Client, run_command
from .fixtures import ALICE
from .loopback import LoopbackHub

PAGE = "docs/how-to/push-to-the-hub.md"


def test_the_page_runs_and_its_comments_are_true(hub: LoopbackHub, client: Client, tmp_path: Path) -> None:
    write_digits(str(tmp_path / "digits.h5"))
    text = (REPOSITORY / PAGE).read_text(encoding="utf-8")
    for command in re.findall(r"^hf-h5 (.+)$", text, re.MULTILINE):
        arguments = [str(tmp_path / word) if word == "digits.h5" else word for word in shlex.split(command)]
        done = client.call(run_command, *arguments, token=ALICE)
        assert done.code == 0, done.err
    found = client.call(users.run_blocks, python_blocks(PAGE), tmp_path, token=ALICE)
    assert found["ds.features"].startswith("{'images': Array2D(shape=(8, 8), dtype='uint8'), 'labels': ClassLabel(")
    assert found["view[0]['labels']"] == "tensor(0)"
    assert found["len(ds)"] == "1797"
    assert found["next(iter(rows))['labels']"] == "0"
