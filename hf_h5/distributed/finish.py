"""After the last shard: nothing lacks, nothing is left over, and the folder says what is in it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from ..errors import MissingFileError
from .description import describe_folder
from .manifest import open_output
from .plan import Plan, expect_plan
from .pushing import open_target, push_finished
from .reports import Finished, ShardReport
from .shards import find_shard
from .storage import Folder

__all__ = ["finalize", "find_shards"]

# Behind a URL each look at a shard is a few round trips.
_LOOKS = 16


def finalize(
    plan: Plan,
    out: str | os.PathLike[str],
    *,
    push_to: str | None = None,
    private: bool = False,
    verify: bool | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Finished:
    """Check that all shards are there, write what describes them, and sweep what was left half-written.

    May be called again.

    Parameters
    ----------
    push_to
        ``USER/NAME`` of a dataset repository of the Hub, which then gets the shards and a card by one commit.
    private
        Whether it is for your eyes only, if it is new.
    verify
        Whether all of each shard is read and compared with its checksum, which finds what a disk or a copy damaged;
        else a shard is taken by its end. By default when it is pushed: that reads all of it anyway, and takes ten times
        as long over the checksums that the Hub asks for.
    say
        Is handed a line for each step of a push.

    Raises
    ------
    MissingFileError
        If shards are missing or not whole; its hint says which.
    HubError
        If the Hub refuses; what is uploaded is not uploaded again by the next try.
    """
    expect_plan(plan)
    repository = open_target(plan, out, push_to, private=private) if push_to is not None else None
    # A folder that was named by mistake is not made.
    folder = open_output(plan, out, will_write=False)
    is_read = verify if verify is not None else push_to is not None
    found = find_shards(plan, folder, range(len(plan.shards)), whole=is_read)
    missing = [number for number, report in enumerate(found) if report is None]
    if missing:
        numbers = ", ".join(map(str, missing[:10])) + (f" and {len(missing) - 10:,} more" if len(missing) > 10 else "")
        raise MissingFileError(
            f"{len(missing):,} of {len(found):,} shards are missing or not whole",
            file=folder.place,
            hint=f"convert them first, which writes these and no others; their numbers: {numbers}",
        )
    reports = [report for report in found if report is not None]
    describe_folder(plan, reports, folder)
    folder.sweep(elsewhere=True)
    url = push_finished(plan, out, repository, say) if repository is not None else None
    return replace(_summarise(plan, folder, reports), url=url)


def find_shards(plan: Plan, folder: Folder, numbers: Sequence[int], *, whole: bool = False) -> list[ShardReport | None]:
    """What is known of some shards; None where one is missing, or is not what the plan says.

    Parameters
    ----------
    whole
        Whether all of each file is read and compared with its checksum; by default its end says enough.
    """
    with ThreadPoolExecutor(_LOOKS) as pool:
        return list(pool.map(lambda number: find_shard(plan, number, folder, whole=whole), numbers))


def _summarise(plan: Plan, folder: Folder, reports: Sequence[ShardReport]) -> Finished:
    """What all shards hold together."""
    rows: dict[str, int] = {}
    for report in reports:
        split = plan.shards[report.number].split
        rows[split] = rows.get(split, 0) + report.rows
    return Finished(
        place=folder.place,
        shards=tuple(reports),
        rows=rows,
        n_bytes=sum(report.n_bytes for report in reports),
        rows_left_out=sum(report.rows_left_out for report in reports),
        skipped=plan.skipped,
    )
