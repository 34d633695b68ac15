"""Every animal of the zoo through every front door."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hf_h5
from tests.conformance.case import Case, Holding
from tests.conformance.compare import differences, dtype_differences, feature_differences, find_error, plain, rows_of
from tests.conformance.doors import DOORS, Opened, said
from tests.conformance.zoo import CASES

PYTHON_INTERNALS = ("NoneType", "object is not", "has no attribute", "list index", "not understood", "KeyError(")
LOADING = [case for case in CASES if case.error is None]
REFUSED = [case for case in CASES if case.error is not None]
EXTRAS = ("other_tables", "metadata", "metadata_values", "attrs", "column_attrs")
DESCRIBED = [case for case in LOADING if any(getattr(case, name) for name in EXTRAS)]


def by_name(cases: list[Case]) -> Any:
    return pytest.mark.parametrize("case", cases, ids=lambda case: case.name)


def by_door(cases: list[Case]) -> Any:
    pairs = [(case, door) for case in cases for door in case.doors]
    return pytest.mark.parametrize(("case", "door"), pairs, ids=[f"{case.name}-{door}" for case, door in pairs])


@pytest.fixture(scope="module")
def written() -> Iterator[Any]:
    """Write each case's files once, when first asked for."""
    with tempfile.TemporaryDirectory() as root:

        @functools.cache
        def write(name: str) -> tuple[Path, list[Path]]:
            folder = Path(root) / name
            folder.mkdir()
            return folder, CASE_OF[name].write(folder)

        def write_if_available(case: Case) -> tuple[Path, list[Path]]:
            if not case.available():
                pytest.skip(f"{case.name} cannot be written here")
            return write(case.name)

        yield write_if_available


CASE_OF = {case.name: case for case in CASES}


@by_door(LOADING)
def test_case_gives_its_features_and_rows(
    case: Case, door: str, written: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder, files = written(case)
    messages: list[str] = []
    with said(messages):
        opened = DOORS[door](case, folder, files, tmp_path)
    assert list(opened) == list(case.splits())
    found = [line for split in opened for line in split_differences(case, split, opened[split])]
    assert not found, "\n".join(found)
    everything_said = "\n".join([*messages, *caplog.messages])
    unsaid = [part for part in case.warns if part not in everything_said]
    assert not unsaid, f"no warning says {unsaid}: {everything_said!r}"
    assert len(case.splits()) > 1 or len(set(messages)) == len(messages), f"said more than once: {messages}"


def split_differences(case: Case, split: str, opened: Opened) -> list[str]:
    """List what differs from the expected features and rows of one split."""
    found = []
    if case.features is not None and opened.features is not None:
        found += feature_differences(case.features, opened.features)
    if case.features is not None and opened.rows:
        found += dtype_differences(case.features, opened.dtypes) if opened.features is None else []
    return found + differences(case.splits()[split], plain(opened.rows), split)


@by_door(REFUSED)
def test_refused_case_says_what_where_and_the_way_out(case: Case, door: str, written: Any, tmp_path: Path) -> None:
    folder, files = written(case)
    kind, parts = case.error
    with said([]), pytest.raises(Exception) as raised:
        DOORS[door](case, folder, files, tmp_path)
    assert_says(raised.value, kind, parts)


@by_name([case for case in REFUSED if case.error_at == "open"])
def test_refused_case_is_refused_by_describe(case: Case, written: Any) -> None:
    folder, files = written(case)
    kind, parts = case.error
    with said([]), pytest.raises(kind) as raised:
        hf_h5.describe(str(files[0]), **case.options_for(folder))
    assert_says(raised.value, kind, parts)


def assert_says(error: BaseException, kind: type[Exception], parts: Any) -> None:
    found = find_error(error, kind)
    assert found is not None, f"expected {kind.__name__}, got {error!r}"
    unsaid = [part for part in parts if part not in str(found).replace("'", '"') and part not in str(found)]
    assert not unsaid, f"the message lacks {unsaid}: {found}"
    internal = [words for words in PYTHON_INTERNALS if words in str(found)]
    assert not internal, f"the message is a Python internal: {found}"


@by_name(DESCRIBED)
def test_describe_holds_what_is_not_among_the_rows(case: Case, written: Any) -> None:
    folder, files = written(case)
    with said([]):
        schema = hf_h5.describe(str(files[0]), **case.options_for(folder))
    metadata = {path.strip("/"): content for path, content in schema.metadata.items()}
    missing = [path for path in case.metadata if path not in metadata]
    assert not missing, f"metadata {sorted(metadata)} lacks {missing}"
    held = {path: metadata.get(path) for path in case.metadata_values}
    assert not differences(dict(case.metadata_values), held, "metadata")
    root = {name: schema.attrs.get(name) for name in case.attrs}
    assert not differences(dict(case.attrs), root, "attrs")
    for name, expected in case.column_attrs.items():
        assert not attribute_differences(expected, dict(schema.table.columns[name].attrs))


def attribute_differences(expected: Any, actual: dict[str, Any]) -> list[str]:
    if isinstance(expected, Holding):
        return differences(expected, str(actual), "attrs")
    return differences(expected, {name: actual.get(name) for name in expected}, "attrs")


@by_name([case for case in LOADING if case.other_tables])
def test_other_tables_open_by_the_name_that_describe_gives(case: Case, written: Any) -> None:
    folder, files = written(case)
    options = case.options_for(folder)
    with said([]):
        tables = hf_h5.describe(str(files[0]), **options).tables
        for expected in case.other_tables:
            names = [name for name, found in tables.items() if set(found.columns) == set(expected[0])]
            assert len(names) == 1, {name: list(found.columns) for name, found in tables.items()}
            with hf_h5.H5TorchView(str(files[0]), table=names[0], **options).with_format(None) as view:
                assert not differences(expected, rows_of(view[:], len(view)), names[0])


def test_names_are_unique() -> None:
    assert len(CASE_OF) == len(CASES)


def test_plain_turns_structured_arrays_into_dicts() -> None:
    assert plain(np.array([(1, b"a")], [("x", "i4"), ("s", "S1")])) == [{"x": 1, "s": b"a"}]
