"""Each error says problem, place and next step, pickles, and is caught as the built-in that fits."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import pytest

from hf_h5 import errors
from hf_h5.errors import H5Error, RefusedError, closest_names, shown

BUILTINS = {
    "AccessError": PermissionError,
    "ClosedError": ValueError,
    "ColumnError": KeyError,
    "DamagedFileError": OSError,
    "DataError": ValueError,
    "FileChangedError": OSError,
    "FilterError": OSError,
    "FormatError": TypeError,
    "HubError": OSError,
    "LayoutError": ValueError,
    "LimitError": PermissionError,
    "MismatchError": ValueError,
    "MissingFileError": FileNotFoundError,
    "MissingPackageError": ImportError,
    "NotHDF5Error": OSError,
    "OptionError": ValueError,
    "RefusedError": PermissionError,
    "RowError": IndexError,
    "TableError": KeyError,
    "TransferError": ConnectionError,
}
every_class = pytest.mark.parametrize("name", BUILTINS)


def made(name: str) -> H5Error:
    kind = getattr(errors, name)
    error: H5Error = kind("10 rows, not 12", file=Path("demo.h5"), path="/action", hint="pass table=...")
    return error


def test_every_class_is_listed_with_its_builtin() -> None:
    classes = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, H5Error)}
    assert classes - {"H5Error"} == set(BUILTINS)
    assert classes | {"H5Warning", "closest_names", "shown", "warn"} == set(errors.__all__)


def test_the_tree_in_the_docstring_shows_every_class_and_its_builtin() -> None:
    lines = (errors.__doc__ or "").splitlines()
    for name, builtin in BUILTINS.items():
        assert any(name in line.split() and f"({builtin.__name__})" in line for line in lines if "──" in line), name


@every_class
def test_an_error_is_caught_as_its_builtin_and_as_ours(name: str) -> None:
    for kind in (BUILTINS[name], H5Error):
        with pytest.raises(kind):
            raise made(name)


@every_class
def test_a_message_has_problem_place_and_hint(name: str) -> None:
    assert str(made(name)) == "10 rows, not 12 [demo.h5::/action]\n  hint: pass table=..."


@every_class
def test_an_error_pickles_with_everything_it_knows(name: str) -> None:
    error = made(name)
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(other) is type(error)
        assert str(other) == str(error)
        assert (other.problem, other.file, other.path, other.hint) == (
            error.problem,
            error.file,
            error.path,
            error.hint,
        )


def test_a_place_may_be_a_file_a_path_or_neither() -> None:
    assert str(H5Error("bad", file="a.h5")) == "bad [a.h5]"
    assert str(H5Error("bad", path="/x")) == "bad [/x]"
    assert str(H5Error("bad")) == "bad"


def test_a_limit_is_a_refusal() -> None:
    assert issubclass(errors.LimitError, RefusedError)
    assert issubclass(errors.MismatchError, errors.LayoutError)


def test_names_of_a_file_cannot_disguise_a_message() -> None:
    error = H5Error("no column 'a\x1b[2Jb'", file="x\u202e5h.h5", path="/\r/y")
    assert str(error) == "no column 'a\\x1b[2Jb' [x\\u202e5h.h5::/\\r/y]"


def test_shown_leaves_what_can_be_read() -> None:
    assert shown("Größe 日本 🙂\n  hint: x") == "Größe 日本 🙂\n  hint: x"


def test_closest_names_lists_few_of_many() -> None:
    text = closest_names("column 7", [f"column {number}" for number in range(100)])
    assert text.startswith("did you mean 'column 7'")
    assert text.endswith("and 80 more")
    assert closest_names("x", []) == "there are none"


def test_a_warning_is_one_of_users() -> None:
    assert issubclass(errors.H5Warning, UserWarning)
