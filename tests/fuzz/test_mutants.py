"""A short run of ``make fuzz``: no mutant ends the process, hangs, fills memory, or gives rows that h5py does not."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from .mutate import mutant
from .run import try_mutant, write_secret
from .seeds import make_seeds

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits and forks as Linux has them")

# Half of a run's time is the forks; the long run has its own target.
_COUNT = 24
_FINE = ("ok", "refused", "h5py", "library")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mutants")
    write_secret(folder)
    return folder


@pytest.fixture(scope="module")
def seeds(folder: Path) -> dict[str, bytes]:
    return make_seeds(folder)


def test_what_is_not_broken_loads(folder: Path, seeds: dict[str, bytes]) -> None:
    for name, content in seeds.items():
        if name.startswith("outside"):
            continue
        file = folder / f"whole-{name}.h5"
        file.write_bytes(content)
        outcomes = try_mutant(file, folder)
        assert set(outcomes.values()) == {"ok"}, (name, outcomes)
        assert len(outcomes) == 5


def test_what_reaches_outside_is_refused(folder: Path, seeds: dict[str, bytes]) -> None:
    file = folder / "reaches-out.h5"
    file.write_bytes(seeds["outside-earliest"])
    assert set(try_mutant(file, folder).values()) == {"refused"}


@pytest.mark.parametrize("number", range(_COUNT))
def test_a_broken_file_is_refused_or_read_right(folder: Path, seeds: dict[str, bytes], number: int) -> None:
    origin, content = mutant(seeds, 7, number)
    file = folder / f"mutant-{number}-{os.getpid()}.h5"
    file.write_bytes(content)
    outcomes = try_mutant(file, folder)
    assert all(outcome.startswith(_FINE) for outcome in outcomes.values()), (origin, outcomes)


def test_mutants_are_functions_of_a_number(seeds: dict[str, bytes]) -> None:
    assert mutant(seeds, 3, 5) == mutant(seeds, 3, 5)
    assert mutant(seeds, 3, 5) != mutant(seeds, 3, 6)
