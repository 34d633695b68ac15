"""How fast files are converted, side by side with the packaged builder: ``make bench`` prints the table.

Each conversion runs in a process of its own, which imports everything first, and the contenders take turns in every
round; the median of the rounds counts. Before, what they wrote is compared, and how much memory each took is looked at.
``make bench ARGS="--quick -k columns"`` is one round of a part; with ``--memory-as-it-comes`` each conversion finds
the memory that those before it have left, instead of 4 GB.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import datasets
import pytest

from .conversion_runs import Way, convert
from .conversions import FILES

ROUNDS = 5
TITLE = "files converted, median of the rounds"
HEADINGS = (
    "file",
    "hf_h5, s",
    "times defaults",
    "at least",
    "times best",
    "at least",
    "memory, MB",
    "at most",
    "others",
)

PACKAGED: dict[str, Way] = {"defaults": ("hdf5", {}), "batch_size=1024": ("hdf5", {"batch_size": 1024})}
OURS: dict[str, Way] = {"hf_h5": ("hf_h5", {})}


@dataclass(frozen=True)
class Conversion:
    """One line of the table: how many times faster than each rival at least, and with how much memory at most."""

    file: str
    at_least: float
    of_best: float | None = None
    memory_mb: int | None = None
    ways: dict[str, Way] = field(default_factory=lambda: OURS | PACKAGED)
    name: str = ""


CONVERSIONS = [
    Conversion("images, contiguous", 11, 1.5, 150),
    Conversion("images, gzip", 9, 3.4, 100),
    Conversion("embeddings, gzip and shuffle", 3.5, 3.5, 100),
    # Numbers without a pattern, of which inflating is nearly all: no more than two cores bring.
    Conversion("embeddings, gzip alone", 2.5, 2.5, 100),
    Conversion("fields, gzip and shuffle", 3.6, 2.4, 100),
    Conversion("20 columns", 2.5, 2.5, 200),
    Conversion("ragged and strings", 1.5, 1.5, 150),
    # datasets takes 0.13 s to start and to end its workers.
    Conversion(
        "twice as many images, gzip",
        1.6,
        ways={"hf_h5": ("hf_h5", {"num_proc": 2}), "one thread on one core": ("hf_h5", {"threads": 1, "cores": 1})},
        name="twice as many images, gzip, two processes",
    ),
]


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Iterator[Path]:
    """Where caches are: on a disk, of which the system keeps what was just written in memory.

    ``--basetemp=/dev/shm/FOLDER`` has files and caches in a file system in memory, whose pages come one by one.
    """
    with tempfile.TemporaryDirectory(prefix="converted-", dir=tmp_path_factory.getbasetemp()) as name:
        yield Path(name)


@pytest.fixture(scope="session")
def files(tmp_path_factory) -> dict[str, Path]:
    return {}


@pytest.mark.parametrize("conversion", CONVERSIONS, ids=lambda each: each.name or each.file)
def bench_builder(benchmark, request, tmp_path_factory, folder, files, conversion, add_line):
    pytest.importorskip("datasets.packaged_modules.hdf5", reason="this version of datasets has no builder for HDF5")
    if conversion.file not in files:
        files[conversion.file] = tmp_path_factory.mktemp("files") / "file.h5"
        FILES[conversion.file](files[conversion.file])
    file = files[conversion.file]
    is_at_hand = not request.config.getoption("memory_as_it_comes")
    memory = expect_equal_results(file, folder, conversion, is_at_hand)
    seconds: dict[str, list[float]] = {name: [] for name in conversion.ways}

    turns = deque(conversion.ways.items())

    def round_of_all() -> None:
        turns.rotate(1)  # nobody always comes after the same one
        for name, way in turns:
            seconds[name].append(convert(file, folder / "cache", way, is_at_hand=is_at_hand)[0])
            shutil.rmtree(folder / "cache")

    benchmark.pedantic(round_of_all, rounds=1 if request.config.getoption("quick") else ROUNDS)
    medians = {name: statistics.median(each) for name, each in seconds.items()}
    benchmark.extra_info.update(medians)
    add_line(TITLE, HEADINGS, line_of(conversion, medians, memory))


def expect_equal_results(file: Path, folder: Path, conversion: Conversion, is_at_hand: bool) -> float:
    """Assert that all wrote the same; return the memory of ours in MB."""
    memory_mb = 0.0
    first: datasets.Dataset | None = None
    for number, (name, way) in enumerate(conversion.ways.items()):
        _, found_mb = convert(file, folder / str(number), way, watch=True, is_at_hand=is_at_hand)
        memory_mb = found_mb if name == "hf_h5" else memory_mb
        found = written(folder / str(number))
        first = first or found
        assert found.features == first.features
        assert found.data.table.equals(first.data.table)
    for number in range(len(conversion.ways)):
        shutil.rmtree(folder / str(number))
    return memory_mb


def written(cache: Path) -> datasets.Dataset:
    """Return what lies in a cache."""
    return datasets.concatenate_datasets(
        [datasets.Dataset.from_file(str(each)) for each in sorted(cache.rglob("*.arrow"))]
    )


def line_of(conversion: Conversion, seconds: dict[str, float], memory_mb: float) -> tuple[str, ...]:
    ours = seconds["hf_h5"]
    rivals = {name: each / ours for name, each in seconds.items() if name != "hf_h5"}
    first, best = next(iter(rivals.values())), min(rivals.values())
    return (
        conversion.name or conversion.file,
        f"{ours:.2f}",
        f"{first:.2f}",
        f"{conversion.at_least:g}",
        f"{best:.2f}" if conversion.of_best else "",
        f"{conversion.of_best:g}" if conversion.of_best else "",
        f"{memory_mb:.0f}" if conversion.memory_mb else "",
        f"{conversion.memory_mb}" if conversion.memory_mb else "",
        ", ".join(f"{name} {seconds[name]:.2f} s" for name in rivals),
    )
