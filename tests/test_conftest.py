"""Does the test suite itself keep its promises: isolation, and real files that are never skipped in CI."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import datasets
import huggingface_hub.constants
import pytest

pytest_plugins = ["pytester"]

CONFTEST = Path(__file__).with_name("conftest.py")

USES_REAL_FILES = """
    import pytest

    def test_reads(realh5):
        assert realh5.is_dir()

    def test_gives_up(realh5):
        pytest.skip("not today")

    @pytest.mark.skipif(True, reason="never")
    def test_never_starts(realh5):
        pass

    def test_of_something_else():
        pytest.skip("allowed")
"""


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A repository of its own with this conftest, some tests, and no real files beside it yet."""
    tests = pytester.mkdir("repository") / "tests"
    tests.mkdir()
    shutil.copy(CONFTEST, tests)
    pytester.makepyfile(USES_REAL_FILES).rename(tests / "test_real.py")
    monkeypatch.setenv("CI", "true")
    return pytester


def test_caches_are_scratch_folders_that_no_user_owns() -> None:
    home = os.environ["HF_HOME"]
    assert "hf-h5-tests-" in home
    assert str(datasets.config.HF_DATASETS_CACHE).startswith(home)
    assert str(datasets.config.HF_MODULES_CACHE).startswith(home)
    assert huggingface_hub.constants.HF_HUB_CACHE.startswith(home)
    assert huggingface_hub.constants.HF_HUB_OFFLINE


def test_ci_fails_a_skipped_real_file(suite: pytest.Pytester) -> None:
    suite.mkdir("shared").joinpath("realh5").mkdir()
    result = suite.runpytest_subprocess("repository")
    result.assert_outcomes(passed=1, failed=1, errors=1, skipped=1)
    result.stdout.fnmatch_lines(["*test_gives_up skipped a real file although*not today*"])


def test_without_real_files_ci_skips_what_needs_them(suite: pytest.Pytester) -> None:
    result = suite.runpytest_subprocess("repository", "-rs")
    result.assert_outcomes(skipped=4)
    result.stdout.fnmatch_lines(["*no real files: *is not there*"])


def test_outside_ci_a_real_file_may_be_skipped(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    suite.mkdir("shared").joinpath("realh5").mkdir()
    monkeypatch.delenv("CI")
    suite.runpytest_subprocess("repository").assert_outcomes(passed=1, skipped=3)
