"""Keep tests and doctests away from the user's caches, network and working folder.

This file is at the root, and not in ``tests/``, because the doctests of the package need it too.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

# huggingface_hub and datasets read these variables once, when they are imported; each xdist worker imports this file
# itself and gets a folder of its own, so that no two processes share a cache unless a test makes them.
if "datasets" in sys.modules or "huggingface_hub" in sys.modules:
    raise pytest.UsageError("a plugin imported datasets before conftest.py could set its cache folders")

# Adapters to engines are imported to find their doctests, where the engine is installed: make distributed.
collect_ignore_glob = [] if importlib.util.find_spec("ray") else ["hf_h5/distributed/ray/*"]

_SCRATCH = Path(tempfile.mkdtemp(prefix="hf-h5-tests-"))
for _name in [name for name in os.environ if name.startswith(("HF_", "HUGGING_FACE_", "HUGGINGFACE_"))]:
    del os.environ[_name]
os.environ.update(
    HF_HOME=str(_SCRATCH / "hf"),
    HF_DATASETS_CACHE=str(_SCRATCH / "hf" / "datasets"),
    HF_HUB_OFFLINE="1",
    HF_HUB_DISABLE_TELEMETRY="1",
    HF_UPDATE_DOWNLOAD_COUNTS="0",
    HF_DATASETS_DISABLE_PROGRESS_BARS="1",
    XDG_CACHE_HOME=str(_SCRATCH / "xdg"),
    MPLBACKEND="agg",
    MPLCONFIGDIR=str(_SCRATCH / "matplotlib"),
)


def pytest_unconfigure() -> None:
    shutil.rmtree(_SCRATCH, ignore_errors=True)


@pytest.fixture(autouse=True)
def _doctests_run_in_a_scratch_folder(request: pytest.FixtureRequest) -> None:
    """Let an example write ``x.h5`` as a reader would, without leaving it in the repository."""
    if isinstance(request.node, pytest.DoctestItem):
        request.getfixturevalue("monkeypatch").chdir(request.getfixturevalue("tmp_path"))
