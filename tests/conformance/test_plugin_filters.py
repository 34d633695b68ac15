"""Files with plugin filters load in a process whose user imported nothing but hf_h5."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conformance.compare import differences
from tests.conformance.zoo_filters import PLUGIN_FILTERS, zoo

READ = """
import json, sys
import hf_h5
rows = {}
for file in sys.argv[1:]:
    reader = hf_h5.open_table(file)
    rows[file] = reader.read(list(range(len(reader))))["x"].tolist()
    reader.close()
print(json.dumps(rows))
"""


def test_plugin_filters_need_no_import(tmp_path: Path) -> None:
    pytest.importorskip("hdf5plugin")
    files = {}
    for case in zoo.cases:
        if case.name.removeprefix("filter_") in PLUGIN_FILTERS:
            folder = tmp_path / case.name
            folder.mkdir()
            files[str(case.write(folder)[0])] = case
    output = subprocess.run(
        [sys.executable, "-c", READ, *files],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert output.returncode == 0, output.stderr
    rows = json.loads(output.stdout)
    found = [
        line
        for file, case in files.items()
        for line in differences([row["x"] for row in case.rows], rows[file], case.name)
    ]
    assert not found
