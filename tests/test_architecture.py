"""Does the source keep to its rooms, doors and sizes; and would each rule notice if it did not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import hf_h5
from tests import architecture
from tests.architecture import Module

REPOSITORY = Path(__file__).parents[1]
ROOT = REPOSITORY / "hf_h5"

Rule = Callable[[list[Module]], list[str]]
RULES: list[Rule] = [
    architecture.wrong_directions,
    architecture.wrong_doors,
    architecture.impure,
    architecture.oversized,
    architecture.vague_names,
    architecture.unsorted_all,
]


@pytest.fixture(scope="module")
def package() -> list[Module]:
    files = sorted(ROOT.rglob("*.py"))
    return [Module(file.relative_to(ROOT).as_posix(), file.read_text(encoding="utf-8")) for file in files]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_package_keeps_the_rule(rule: Rule, package: list[Module]) -> None:
    assert len(package) > 1
    assert rule(package) == []


def test_no_file_of_the_repository_mentions_a_machine_path() -> None:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout
    files = [REPOSITORY / name for name in listed.split("\0") if name]
    texts = {str(file): file.read_bytes().decode("utf-8", errors="replace") for file in files if file.is_file()}
    assert len(texts) > 10
    assert architecture.machine_paths(texts) == []


def test_import_is_quiet_and_leaves_heavy_packages_out(tmp_path: Path) -> None:
    heavy = {"torch", "sklearn", "matplotlib"}
    code = f"import sys, hf_h5; print(sorted({heavy!r} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")


def test_public_names_are_sorted_and_there() -> None:
    assert list(hf_h5.__all__) == sorted(hf_h5.__all__)
    assert [name for name in hf_h5.__all__ if not hasattr(hf_h5, name)] == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("describe/scan.py", "import hf_h5.read.plan"),
        ("describe/scan.py", "def scan():\n    from hf_h5.assemble import arrow"),
        ("describe/scan.py", "from .. import read"),
        ("describe/scan.py", "from ..read.plan import plan_rows"),
        ("describe/scan.py", "import hf_h5"),
        ("describe/scan.py", "from hf_h5 import H5TorchView"),
        ("describe/__init__.py", "from ..view import H5TorchView"),
        ("errors.py", "from hf_h5.describe import schema"),
        ("read/reader.py", "from hf_h5.assemble.arrow import to_table"),
        ("read/reader.py", "import importlib\nimportlib.import_module('hf_h5.assemble.arrow')"),
        ("assemble/arrow.py", "from hf_h5 import read"),
        ("assemble/torch.py", "from hf_h5.view import H5TorchView"),
        ("sampling.py", "from hf_h5.describe.schema import Schema"),
        ("registry.py", "from hf_h5.hf_h5 import H5Builder"),
        ("attic/box.py", "import numpy"),
    ],
)
def test_an_import_against_the_flow_is_found(path: str, source: str) -> None:
    assert len(architecture.wrong_directions([Module(path, source)])) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("describe/scan.py", "from hf_h5 import errors\nfrom . import schema\nfrom .schema import Column"),
        ("describe/__init__.py", "from .scan import scan_file\nfrom ..errors import H5Error"),
        ("read/reader.py", "from hf_h5.describe.schema import Schema"),
        ("assemble/arrow.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from hf_h5.read import plan"),
        ("view.py", "from hf_h5 import assemble, read\nfrom hf_h5.loader import Loader"),
        ("__init__.py", "import importlib\nimportlib.import_module('hf_h5.view')"),
    ],
)
def test_an_import_with_the_flow_is_allowed(path: str, source: str) -> None:
    assert architecture.wrong_directions([Module(path, source)]) == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("view.py", "import h5py"),
        ("read/plan.py", "def plan():\n    import h5py.h5d"),
        ("read/__init__.py", "from h5py import File"),
        ("read/reader.py", "from datasets.features import Features"),
        ("tools/convert.py", "import datasets"),
        ("assemble/arrow.py", "import torch"),
        ("__init__.py", "__import__('torch')"),
        ("hf_h5.py", "import typing\nif typing.TYPE_CHECKING:\n    pass\nelse:\n    import torch"),
    ],
)
def test_a_library_at_the_wrong_door_is_found(path: str, source: str) -> None:
    assert len(architecture.wrong_doors([Module(path, source)])) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("describe/scan.py", "import h5py"),
        ("read/index.py", "from h5py import h5d"),
        ("assemble/arrow_nested.py", "from datasets import Features"),
        ("hub/cards.py", "import datasets"),
        ("view.py", "from typing import TYPE_CHECKING\nimport torch\nif TYPE_CHECKING:\n    import h5py"),
        ("assemble/torch.py", "import torch.utils.data"),
    ],
)
def test_a_library_at_its_door_is_allowed(path: str, source: str) -> None:
    assert architecture.wrong_doors([Module(path, source)]) == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("read/plan.py", '"""Plans. Pure; no I/O."""\nimport os'),
        ("read/plan.py", '"""Plans. Pure; no I/O."""\nimport os.path'),
        ("describe/layout.py", '"""Pure."""\ndef f():\n    from h5py import File'),
        ("cached.py", '"""Pure; no I/O."""\nopen("x")'),
        ("sampling.py", '"""Which rows."""'),
    ],
)
def test_io_in_a_pure_module_is_found(path: str, source: str) -> None:
    assert len(architecture.impure([Module(path, source)])) == 1


@pytest.mark.parametrize("line", ["import numpy", "from os import PathLike, fspath"])
def test_a_pure_module_without_io_is_allowed(line: str) -> None:
    assert architecture.impure([Module("sampling.py", f'"""Which rows. Pure; no I/O."""\n{line}')]) == []


@pytest.mark.parametrize(("lines", "violations"), [(400, 0), (401, 1)])
def test_a_module_of_over_400_lines_is_found(lines: int, violations: int) -> None:
    assert len(architecture.oversized([Module("view.py", "x = 1\n" * lines)])) == violations


@pytest.mark.parametrize(
    ("path", "violations"), [("read/utils.py", 1), ("common/x.py", 1), ("read/cache_manager.py", 1), ("basement.py", 0)]
)
def test_a_name_that_says_nothing_is_found(path: str, violations: int) -> None:
    assert len(architecture.vague_names([Module(path, "")])) == violations


@pytest.mark.parametrize(
    ("source", "violations"),
    [
        ('__all__ = ["H5Builder", "describe"]', 0),
        ('__all__ = ["describe", "H5Builder"]', 1),
        ('__all__: list[str] = ["b", "a"]', 1),
    ],
)
def test_unsorted_public_names_are_found(source: str, violations: int) -> None:
    assert len(architecture.unsorted_all([Module("__init__.py", source)])) == violations


@pytest.mark.parametrize("folder", ["home", "root", "work", "tmp", "Users"])
@pytest.mark.parametrize("frame", ["see {}", "open('{}')", "file://{}", "PATH={}"])
def test_a_machine_path_is_found(folder: str, frame: str) -> None:
    assert len(architecture.machine_paths({"README.md": frame.format(f"/{folder}/someone/x.h5")})) == 1


@pytest.mark.parametrize("text", ["x.h5::/home/door", "https://example.org/home/x", "../shared/realh5", "/obs/work"])
def test_a_path_inside_a_file_or_url_is_no_machine_path(text: str) -> None:
    assert architecture.machine_paths({"README.md": text}) == []
