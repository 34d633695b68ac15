"""Files of older pandas and anndata: both modes give what the version that wrote them reads back (``make writers``)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import datasets
import pytest

import hf_h5
from tests.conventions.pandas_frames import arrow_columns
from tests.conventions.versions.encoded import encode

ROOT = Path(__file__).parents[3]
# Each holds versions of one year; this environment itself is the newest.
WRITERS = {path.name: path / "bin" / "python" for path in sorted((ROOT / ".venv-writers").glob("*"))}
WRITERS["newest"] = Path(sys.executable)

_N_FILES = 50
# Categories as an index are written since pandas 3.
_UNKNOWN_TO_SOME = {"pandas-fixed-categories_of_rows.h5", "pandas-table-categories_of_rows.h5"}

# Versions before 3 read a table's index of durations back as integers; it was written, and is read, as durations.
_LOST_BY_SOME = "pandas-table-spans.h5"
_SECONDS = ["1.000000000 s", "2.000000000 s", "3.000000000 s"]

pytestmark = pytest.mark.filterwarnings("ignore::hf_h5.errors.H5Warning")


@pytest.fixture(scope="module", params=WRITERS)
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of files of one writer."""
    folder = tmp_path_factory.mktemp(request.param)
    # Its own packages and no others.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run(
        [WRITERS[request.param], "-m", "tests.conventions.versions.write", folder],
        cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    return folder


def test_both_modes_give_what_the_writer_reads_back(written: Path) -> None:
    expected = json.loads((written / "expected.json").read_text(encoding="utf-8"))
    refused = {name for name, tables in expected["files"].items() if isinstance(tables, str)}
    assert refused <= _UNKNOWN_TO_SOME
    assert len(expected["files"]) - len(refused) >= _N_FILES
    wrong = {}
    for name, tables in expected["files"].items():
        for table, columns in {} if name in refused else tables.items():
            if name == _LOST_BY_SOME:
                columns["index"] = _SECONDS
            for mode, read in MODES.items():
                found = read(written / name, table, name.endswith(".h5ad"))
                if found != columns:
                    wrong[name, table, mode] = difference(found, columns)
    assert not wrong, expected["versions"]


def difference(found: dict[str, Any], expected: dict[str, Any]) -> Any:
    if list(found) != list(expected):
        return list(found), list(expected)
    return {name: (found[name], expected[name]) for name in found if found[name] != expected[name]}


def read_direct(file: Path, table: str, is_cells: bool) -> Any:
    with hf_h5.H5TorchView(file, table=table, dense=is_cells) as view:
        return _encoded(view.with_format("arrow")[:], view.features, is_cells)


def read_cached(file: Path, table: str, is_cells: bool) -> Any:
    cache = str(file.parent / "cache")
    rows = hf_h5.load_dataset(str(file), table=table, dense=is_cells, split="train", cache_dir=cache)
    return _encoded(rows.with_format("arrow")[:], rows.features, is_cells)


MODES = {"direct": read_direct, "cached": read_cached}


def _encoded(rows: Any, features: datasets.Features, is_cells: bool) -> Any:
    if not is_cells:
        return encode(arrow_columns(rows, features))
    return {name: _column(rows[name].to_pylist(), features[name]) for name in rows.column_names}


def _column(values: list[Any], feature: Any) -> Any:
    names = {"names": feature.names} if isinstance(feature, datasets.ClassLabel) else {}
    return {**names, "values": encode(values)}
