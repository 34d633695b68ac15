"""The builder is known to datasets by name, in this process and in others, and nothing else of datasets changes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import datasets
import pytest
from datasets import packaged_modules

import hf_h5
from hf_h5.registry import BUILDER_NAME, make_key, make_list, parse_split, register_builder
from tests.written import write_digits

ROOT = Path(hf_h5.__file__).parents[1]

TABLES = ("_PACKAGED_DATASETS_MODULES", "_EXTENSION_TO_MODULE", "_MODULE_TO_EXTENSIONS")


def run(code: str, *arguments: str, folder: Path, cache: Path) -> subprocess.CompletedProcess[str]:
    """Run Python in a process of its own, in a folder.

    With a cache of its own: offline, ``datasets`` looks for a name among what others have cached.
    """
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "HF_DATASETS_CACHE": str(cache)},
        check=False,
    )


def test_registering_twice_changes_nothing() -> None:
    before = {name: dict(getattr(packaged_modules, name)) for name in TABLES}
    table = packaged_modules._PACKAGED_DATASETS_MODULES
    register_builder()
    assert packaged_modules._PACKAGED_DATASETS_MODULES is table
    assert {name: dict(getattr(packaged_modules, name)) for name in TABLES} == before


def test_importing_adds_one_name_and_no_extension(tmp_path: Path) -> None:
    code = (
        "import copy\n"
        "from datasets import packaged_modules as tables\n"
        f"names = {TABLES!r}\n"
        "before = {name: copy.deepcopy(getattr(tables, name)) for name in names}\n"
        "import hf_h5\n"
        "for name in names:\n"
        "    after = getattr(tables, name)\n"
        "    same = all(after[key] == before[name][key] for key in before[name])\n"
        "    print(sorted(set(after) - set(before[name])), same)"
    )
    done = run(code, folder=tmp_path, cache=tmp_path / "cache")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["['hf_h5'] True", "[] True", "[] True"]


def test_the_module_of_the_name_holds_one_builder() -> None:
    module, digest = packaged_modules._PACKAGED_DATASETS_MODULES[BUILDER_NAME]
    assert module == "hf_h5.hf_h5"
    assert len(digest) == 64
    builders = [
        value
        for value in vars(sys.modules[module]).values()
        if isinstance(value, type) and issubclass(value, datasets.DatasetBuilder)
    ]
    assert builders == [hf_h5.H5Builder]


def test_the_cache_folder_does_not_change_with_the_source_text(tmp_path: Path) -> None:
    # The digest is of the name and the cache format; this one belongs to format 1.
    _, digest = packaged_modules._PACKAGED_DATASETS_MODULES[BUILDER_NAME]
    file = write_digits(tmp_path / "a.h5")
    builder = datasets.load_dataset_builder("hf_h5", data_files=str(file), cache_dir=str(tmp_path / "cache"))
    assert Path(builder.cache_dir).name == digest
    assert builder.name == "hf_h5"


@pytest.mark.parametrize("inside", [False, True])
def test_without_an_import_the_name_is_unknown_and_nothing_is_loaded(tmp_path: Path, inside: bool) -> None:
    # Offline, datasets cannot ask the Hub, which it takes the name for; inside the repository, for a script.
    file = write_digits(tmp_path / "a.h5")
    done = run(
        "import datasets, sys; datasets.load_dataset('hf_h5', data_files=sys.argv[1])",
        str(file),
        folder=ROOT if inside else tmp_path,
        cache=tmp_path / "cache",
    )
    assert done.returncode == 1
    assert "hf_h5" in done.stderr.splitlines()[-1]


def test_after_an_import_the_name_loads_from_any_folder(tmp_path: Path) -> None:
    file = write_digits(tmp_path / "a.h5")
    code = (
        "import datasets, hf_h5, sys; print(datasets.load_dataset('hf_h5', data_files=sys.argv[1])['train'].num_rows)"
    )
    for folder in (tmp_path, ROOT):
        done = run(code, str(file), folder=folder, cache=tmp_path / "cache")
        assert (done.returncode, done.stdout.strip()) == (0, "10"), done.stderr


@pytest.mark.parametrize("length", [-1, 3])
def test_a_list_is_the_list_of_the_installed_version(length: int) -> None:
    made = make_list(datasets.Value("int8"), length)
    assert made.length == length
    assert made.feature == datasets.Value("int8")
    datasets.Features({"x": made}).arrow_schema  # noqa: B018


def test_a_list_of_structs_is_a_list_of_dicts() -> None:
    features = datasets.Features({"x": make_list({"a": datasets.Value("int8")})})
    loaded = datasets.Dataset.from_dict({"x": [[{"a": 1}, {"a": 2}], []]}, features=features)
    assert loaded["x"][:] == [[{"a": 1}, {"a": 2}], []]


def test_keys_of_batches_differ() -> None:
    assert len({str(make_key(shard, batch)) for shard in range(2) for batch in range(3)}) == 6


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("train", [("train", 0, 10)]),
        ("train[:20%]", [("train", 0, 2)]),
        ("train[-3:]", [("train", 7, 10)]),
        ("test+train[2:4]", [("test", 0, 4), ("train", 2, 4)]),
        ("train[8:]+train[:1]", [("train", 8, 10), ("train", 0, 1)]),
        ("train[5:5]", [("train", 5, 5)]),
    ],
)
def test_splits_are_read_as_datasets_reads_them(text: str, expected: Any) -> None:
    assert parse_split(text, {"train": 10, "test": 4}) == expected
