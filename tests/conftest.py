"""What all tests share: real files where there are any, and how hypothesis searches."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator
from pathlib import Path

import hypothesis
import pytest

# Whoever registers a Blosc filter first is the one that writes files, and that of PyTables writes other ones.
with contextlib.suppress(ImportError):
    import hdf5plugin  # noqa: F401

REALH5 = Path(__file__).resolve().parents[2] / "shared" / "realh5"

# Time limits are pytest-timeout's business: a deadline per example fails on a busy machine, not on a bug.
hypothesis.settings.register_profile("local", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.fixture(scope="session")
def realh5() -> Path:
    """Return the folder of real HDF5 files that may lie beside the repository; they are never copied into it."""
    if not REALH5.is_dir():
        pytest.skip(f"no real files: {REALH5} is not there")
    return REALH5


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test that skips a real file in CI, where a skip would pass for a file that was read."""
    report = yield
    uses_real_files = "realh5" in getattr(item, "fixturenames", ())
    skipped = report.skipped and not hasattr(report, "wasxfail")
    if skipped and uses_real_files and REALH5.is_dir() and os.environ.get("CI"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} skipped a real file although {REALH5} is there: {reason}"
    return report
