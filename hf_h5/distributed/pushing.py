"""A finished folder of Parquet shards -> a dataset repository, by one commit."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from ..errors import OptionError
from ..hub.card_facts import CardFacts, Source
from ..hub.parquet import look_at_table, push_tables
from ..hub.repository import Repository, open_repository
from .plan import Plan
from .rows import plan_tables

__all__ = ["open_target", "push_finished"]


def open_target(plan: Plan, out: str | os.PathLike[str], repo_id: str, *, private: bool = False) -> Repository:
    """Look whether shards of this plan can be pushed to a repository, which is made if it is not there.

    Raises
    ------
    OptionError
        If they are no Parquet files of this machine.
    HubError
        If the Hub refuses.
    """
    if plan.format != "parquet":
        raise OptionError("the Hub takes Parquet", hint="make the plan with format='parquet'")
    if "://" in os.fspath(out):
        raise OptionError(f"{os.fspath(out)!r} is a URL", hint="push from a machine that has the shards in a folder")
    return open_repository(repo_id, private=private)


def push_finished(
    plan: Plan, out: str | os.PathLike[str], repository: Repository, say: Callable[[str], None] = lambda _: None
) -> str:
    """Upload the shards that are not there yet, and make all of them and the card visible by one commit.

    Parameters
    ----------
    say
        Is handed a line for each step.

    Returns
    -------
    str
        The address of the repository.

    Raises
    ------
    HubError
        If the Hub refuses; what is uploaded is not uploaded again by the next try.
    """
    table = look_at_table(Path(out), plan_tables(plan), plan.options)
    # No checksums: to read terabytes once more for a card would take hours.
    sources = [Source(each.file.rpartition("/")[2], each.size, None) for each in plan.files]
    command = f"hf-h5 convert --plan plan.json --finalize -o {table.place}/ --push-to-hub {repository.repo_id}"
    command += f"  # plan {plan.id}"
    facts = CardFacts(repository.repo_id, [table.config], sources, {}, command, plan.version)
    push_tables(repository, [table], facts, say)
    return repository.url
