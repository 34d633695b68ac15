"""``hf-h5 convert`` and ``hf-h5 plan``: HDF5 files -> shards per split, in a folder that ``datasets`` reads.

All that is done here is to make a plan, to run it with an engine, and to say how it goes.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from ..describe.wording import bytes_text, count_text
from ..distributed.finish import finalize, find_shards
from ..distributed.local import convert_here
from ..distributed.manifest import MANIFEST, load_plan, open_output, save_plan
from ..distributed.plan import Plan
from ..distributed.planning import DEFAULT_SHARD_SIZE, make_plan
from ..distributed.reports import Finished, ShardReport
from ..errors import H5Warning, OptionError
from ..opening import count_bytes
from .console import Console, Progress, familiar

__all__ = ["ENGINES", "MANIFEST", "run_convert", "run_finalize", "run_plan", "run_shards"]

ENGINES = ("local", "ray")

Runner = Callable[[Plan, str, Sequence[int], Callable[[ShardReport], None]], int]
"""Writes shards of a plan to a folder, hands on what became of each, and returns how often one was begun anew."""


@dataclass
class _Teller:
    """Says how a conversion goes: a line for each shard, or a bar over the bytes of all."""

    console: Console
    plan: Plan
    say: Callable[[str], None]
    bar: Progress
    count: int
    n_done: int = 0
    n_there: int = 0

    def note(self, report: ShardReport) -> None:
        """Take the report of a shard."""
        self.n_done += 1
        self.bar.add(self.plan.shards[report.number].stored_bytes)
        self.bar.tell(f"{self.n_done} of {self.count} shards")
        if report.was_there:
            self.n_there += 1
            return
        self.tell_there()
        if report.rows_left_out:
            text = f"{report.rows_left_out:,} rows of {report.name} cannot be read and were left out"
            warnings.warn(text, H5Warning, stacklevel=2)
        if not self.console.has_bars:
            self.say(f"{report.name}  {count_text(report.rows, 'row')}  {bytes_text(report.n_bytes)}")

    def tell_there(self) -> None:
        """Say how many shards were there, if that was not said yet."""
        if self.n_there:
            self.say(f"{self.n_there} of {self.count} shards were there already")
            self.n_there = 0


def run_convert(
    files: Sequence[str],
    output: str,
    *,
    options: Mapping[str, Any] | None = None,
    max_shard_size: int | str = DEFAULT_SHARD_SIZE,
    format: str = "parquet",
    num_proc: int = 1,
    engine: str = "local",
    address: str | None = None,
    overwrite: bool = False,
    console: Console | None = None,
    say: Callable[[str], None] | None = None,
) -> int:
    """Convert files to Parquet, or to what ``datasets.load_from_disk`` reads.

    Parameters
    ----------
    files
        Files or patterns.
    output
        The folder, or a URL; made if it is not there. Shards that are there from the same files and options are kept.
    max_shard_size
        Bytes of decoded rows in a shard, as a number or ``"500MB"``.
    format
        ``"parquet"`` or ``"arrow"``.
    num_proc
        How many processes of this machine convert.
    engine, address
        ``"ray"`` converts on a cluster: the one at the address, or that of the environment.
    overwrite
        Whether what another conversion wrote into the folder is removed first.
    console
        Where words go.
    say
        Is handed every line instead.

    Returns
    -------
    int
        0.

    Raises
    ------
    OptionError
        If the folder holds data of something else.
    H5Error
        If the files cannot be read or do not form one table.
    """
    told = console or Console()
    runner = _runner(engine, num_proc, address)
    plan = make_plan(
        list(files), count_bytes(max_shard_size, "max_shard_size", least=1), format=format, **(options or {})
    )
    open_output(plan, output, overwrite=overwrite).sweep(elsewhere=False)
    retries = _run(plan, output, runner, told, say or told.say, range(len(plan.shards)))
    _tell_result(replace(finalize(plan, output), retries=retries), plan, told, say)
    return 0


def run_plan(
    files: Sequence[str],
    plan_file: str,
    *,
    options: Mapping[str, Any] | None = None,
    max_shard_size: int | str = DEFAULT_SHARD_SIZE,
    format: str = "parquet",
    console: Console | None = None,
) -> int:
    """Write the plan of a conversion to a file, for `run_shards`; the parameters are those of `run_convert`."""
    told = console or Console()
    plan = make_plan(
        list(files), count_bytes(max_shard_size, "max_shard_size", least=1), format=format, **(options or {})
    )
    save_plan(plan, plan_file)
    facts = {"plan": plan_file, "id": plan.id, "shards": len(plan.shards), "rows": plan.num_rows}
    told.result(f"{plan_file}: {plan}", {**facts, "skipped": list(plan.skipped)}, brief=str(len(plan.shards)))
    return 0


def run_shards(
    plan_file: str, output: str, which: str | None = None, *, num_proc: int = 1, console: Console | None = None
) -> int:
    """Convert some of the shards of a plan.

    Parameters
    ----------
    which
        ``"2/8"``: every eighth shard, beginning with number 2, so that the jobs 0 to 7 of an array convert all of them;
        None for all.
    """
    told = console or Console()
    plan = load_plan(plan_file)
    open_output(plan, output)
    numbers = _chosen(which, len(plan.shards))
    _run(plan, output, _runner("local", num_proc, None), told, told.say, numbers)
    place = f"{len(numbers):,} of {len(plan.shards):,} shards are done here"
    told.result(f"{output}: {place}", {"output": output, "plan": plan.id, "shards": list(numbers)}, brief="")
    return 0


def run_finalize(
    plan_file: str,
    output: str,
    *,
    push_to: str | None = None,
    private: bool = False,
    verify: bool | None = None,
    console: Console | None = None,
) -> int:
    """Check that all shards of a plan are there, write what describes them, and push them if they are to be.

    Parameters
    ----------
    push_to, private, verify
        As of `finalize`.
    """
    told = console or Console()
    plan = load_plan(plan_file)
    finished = finalize(plan, output, push_to=push_to, private=private, verify=verify, say=told.say)
    _tell_result(finished, plan, told, None)
    return 0


def _chosen(which: str | None, count: int) -> range:
    if which is None:
        return range(count)
    first, slash, step = which.partition("/")
    if not (slash and first.isdecimal() and step.isdecimal() and int(first) < int(step)):
        hint = 'for example --shard "$SLURM_ARRAY_TASK_ID/8" in an array of 8 jobs, 0 to 7'
        raise OptionError(f"--shard {which!r} is not NUMBER/COUNT with a number from 0 to COUNT - 1", hint=hint)
    return range(int(first), count, int(step))


def _runner(engine: str, num_proc: int, address: str | None) -> Runner:
    if engine not in ENGINES:
        raise OptionError(f"engine={engine!r} is not one of {', '.join(map(repr, ENGINES))}")
    if num_proc < 1:
        raise OptionError(f"num_proc={num_proc!r} is not a positive integer")
    if engine == "ray":
        if num_proc > 1:
            raise OptionError("num_proc= is about this machine", hint="Ray runs a task on each core of its cluster")
        from ..distributed.ray import run_shards as on_ray

        return lambda plan, out, numbers, note: on_ray(plan, out, numbers, address=address, note=note)
    if address is not None:
        raise OptionError(f"address={address!r} is that of a cluster", hint="pass engine='ray' (--engine ray) as well")
    return lambda plan, out, numbers, note: _run_here(plan, out, numbers, num_proc, note)


def _run_here(plan: Plan, out: str, numbers: Sequence[int], num_proc: int, note: Callable[[ShardReport], None]) -> int:
    """Look first which shards are there, so that no process is started for them."""
    found = find_shards(plan, open_output(plan, out), numbers, whole=True)
    for report in found:
        if report is not None:
            note(report)
    missing = [number for number, report in zip(numbers, found, strict=True) if report is None]
    return convert_here(plan, out, missing, num_proc=num_proc, note=note)


def _run(
    plan: Plan, output: str, runner: Runner, console: Console, say: Callable[[str], None], numbers: Sequence[int]
) -> int:
    """Write the shards that lack, and say how it goes."""
    total = sum(plan.shards[number].stored_bytes for number in numbers)
    with console.progress(total, os.path.basename(output.rstrip("/")), unit="B") as bar:
        teller = _Teller(console, plan, say, bar, len(numbers))
        retries = runner(plan, output, numbers, teller.note)
    teller.tell_there()
    return retries


def _tell_result(finished: Finished, plan: Plan, console: Console, say: Callable[[str], None] | None) -> None:
    loading = "load_dataset" if plan.format == "parquet" else "load_from_disk"
    rows = ", ".join(f"{split}: {count_text(count, 'row')}" for split, count in finished.rows.items())
    notes = [f"{finished.retries:,} retries"] if finished.retries else []
    notes += [f"{count_text(finished.rows_left_out, 'row')} left out"] if finished.rows_left_out else []
    notes += (
        [f"{count_text(len(finished.skipped), 'file')} skipped: {_listed(finished.skipped)}"]
        if finished.skipped
        else []
    )
    place = familiar(finished.place)
    # A single word may be the name of something else to `datasets`: parquet, json.
    loaded = place if os.sep in place else os.path.join(os.curdir, place)
    text = "; ".join([f"{place}: {rows}", *notes, f"load it with datasets.{loading}({loaded!r})"])
    text += f"\npushed to {finished.url}" if finished.url else ""
    if say is not None:
        say(text)
        return
    facts = asdict(finished) | {"plan": plan.id, "format": plan.format}
    console.result(text, facts, brief="")


def _listed(files: Sequence[str]) -> str:
    return ", ".join(map(familiar, files[:3])) + (", ..." if len(files) > 3 else "")
