"""Is what people install what we mean to ship, and is a fresh clone set up as promised."""

from __future__ import annotations

import email
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.message import Message
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.architecture import Module

REPOSITORY = Path(__file__).parents[1]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONSTRAINTS = (REPOSITORY / "constraints-dev.txt").read_text(encoding="utf-8")

DISTRIBUTION_OF = {"sklearn": "scikit-learn", "yaml": "pyyaml"}
"""Import names that differ from the name on the index."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source distribution of this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> dict[str, bytes]:
    (file,) = built.glob("*.whl")
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def metadata(wheel: dict[str, bytes]) -> Message:
    (name,) = (name for name in wheel if name.endswith(".dist-info/METADATA"))
    return email.message_from_bytes(wheel[name])


def test_the_wheel_holds_the_package_and_its_licence_only(wheel: dict[str, bytes]) -> None:
    folders = {name.split("/")[0] for name in wheel}
    assert folders == {"hf_h5", f"hf_h5-{PROJECT['version']}.dist-info"}
    assert "hf_h5/py.typed" in wheel
    (licence,) = (name for name in wheel if name.endswith("/LICENSE"))
    assert wheel[licence] == (REPOSITORY / "LICENSE").read_bytes()


def test_the_wheel_holds_every_module(wheel: dict[str, bytes]) -> None:
    modules = {file.relative_to(REPOSITORY).as_posix() for file in (REPOSITORY / "hf_h5").rglob("*.py")}
    assert modules == {name for name in wheel if name.endswith(".py")}


def test_the_source_distribution_holds_no_tests_and_no_docs(built: Path) -> None:
    (file,) = built.glob("*.tar.gz")
    with tarfile.open(file) as archive:
        tops = {Path(name).parts[1] for name in archive.getnames() if len(Path(name).parts) > 1}
    assert tops == {"hf_h5", "LICENSE", "README.md", "pyproject.toml", "PKG-INFO", ".gitignore"}


def test_the_metadata_says_what_a_user_needs_to_know(wheel: dict[str, bytes], metadata: Message) -> None:
    assert metadata["Name"] == "hf-h5"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert {"torch", "remote", "demo", "all"} <= set(metadata.get_all("Provides-Extra", []))
    (entry_points,) = (name for name in wheel if name.endswith("entry_points.txt"))
    assert "hf-h5 = hf_h5.cli:main" in wheel[entry_points].decode()


def test_every_imported_package_is_declared() -> None:
    files = (REPOSITORY / "hf_h5").rglob("*.py")
    modules = [Module(file.relative_to(REPOSITORY / "hf_h5").as_posix(), file.read_text("utf-8")) for file in files]
    imported = {name.split(".")[0] for module in modules for name, _ in module.imports()}
    needed = {DISTRIBUTION_OF.get(name, name) for name in imported - set(sys.stdlib_module_names) - {"hf_h5"}}
    runtime = [extra for name, extra in PROJECT["optional-dependencies"].items() if name != "dev"]
    declared = {canonicalize_name(Requirement(line).name) for line in sum(runtime, PROJECT["dependencies"])}
    assert {canonicalize_name(name) for name in needed} - declared == set()


def test_constraints_are_exact_versions_and_nothing_else() -> None:
    lines = [line for line in CONSTRAINTS.splitlines() if line and not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line)] == []
    assert lines == sorted(lines, key=str.lower)


def test_constraints_pin_every_requirement_within_its_range() -> None:
    lines = [line for line in CONSTRAINTS.splitlines() if line and not line.startswith("#")]
    pins = {canonicalize_name(name): version for name, version in (line.split("==") for line in lines)}
    declared = sum(PROJECT["optional-dependencies"].values(), PROJECT["dependencies"])
    wanted = [need for need in map(Requirement, declared) if need.name != PROJECT["name"]]
    assert [str(need) for need in wanted if canonicalize_name(need.name) not in pins] == []
    assert [str(need) for need in wanted if not need.specifier.contains(pins[canonicalize_name(need.name)])] == []


def test_make_refuses_an_old_python_in_words(tmp_path: Path) -> None:
    old = tmp_path / "python3.9"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.2" || exit 1\n')
    old.chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    command = ["make", f"PYTHON={old}", f"VENV={tmp_path / 'venv'}", "test"]
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True)
    assert done.returncode != 0
    assert "needs Python 3.11 or newer" in done.stderr
    assert "Python 3.9.2" in done.stderr
    assert "hint: make PYTHON=" in done.stderr


def test_ci_names_its_lanes_when_asked_for_another(tmp_path: Path) -> None:
    done = subprocess.run(["bash", REPOSITORY / ".ci" / "run", "nowhere"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert "no lane 'nowhere'; there are: compat frameworks distributed writers docs check" in done.stderr
