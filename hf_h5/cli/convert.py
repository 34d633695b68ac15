"""``hf-h5 convert``: HDF5 as Parquet or Arrow, here or on a cluster."""

from __future__ import annotations

import argparse
from typing import Any

from ..errors import OptionError
from .options import add_options, given_options

__all__ = ["add_command", "add_shards"]

_NEEDS = {"shard": "plan", "finalize": "plan", "verify": "finalize", "private": "push_to_hub"}
"""Flags that say something only beside another one."""

_LATER = "convert to a folder OUT; then: --plan OUT/.hf-h5-convert.json --finalize -o OUT --push-to-hub USER/NAME"
_EARLIER = "say it when the plan is made: hf-h5 plan"
_CLASHES = {
    ("finalize", "shard"): "it looks at all shards of the plan: leave out --shard",
    ("finalize", "num_proc"): "it converts nothing: leave out --num-proc",
    ("plan", "engine"): "Ray makes a plan of its own: hf-h5 convert FILES --engine ray",
    ("plan", "max_shard_size"): _EARLIER,
    ("plan", "format"): _EARLIER,
    ("plan", "overwrite"): "one job would remove what another wrote: empty the folder before, or name another one",
    ("push_to_hub", "engine"): _LATER,
    ("push_to_hub", "format"): "the Hub takes Parquet: leave out --format",
}
"""Flags of which the second says nothing beside the first, and what to do instead."""


def add_command(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "convert",
        help="write HDF5 as Parquet or Arrow; goes on where it stopped",
        description="Convert HDF5 files to a folder of Parquet shards per split, which datasets.load_dataset reads. "
        "Run again after an interruption, it keeps the shards that are finished.",
    )
    parser.add_argument("files", nargs="*", metavar="FILE", help="HDF5 files, or patterns in quotes")
    parser.add_argument("-o", "--output", metavar="FOLDER", help="where to; made if it is not there")
    add_shards(parser)
    parser.add_argument("--overwrite", action="store_true", help="remove what another conversion wrote there")
    group = parser.add_argument_group("who converts")
    group.add_argument("--num-proc", type=int, default=1, metavar="N", help="processes of this machine; default: 1")
    group.add_argument("--engine", choices=("local", "ray"), default="local", help="this machine, or a Ray cluster")
    group.add_argument("--address", metavar="ADDRESS", help="of the Ray cluster; default: the one that ray finds")
    group.add_argument("--plan", metavar="FILE", help="convert what hf-h5 plan wrote into this file")
    group.add_argument("--shard", metavar="I/N", help="with --plan: shards I, I + N, ...: those of job I of N")
    group.add_argument("--finalize", action="store_true", help="with --plan: check that all shards are there")
    group.add_argument(
        "--verify", action="store_true", default=None, help="with --finalize: read all of each, as a push does anyway"
    )
    group = parser.add_argument_group("the Hub")
    group.add_argument("--push-to-hub", metavar="USER/NAME", help="push what comes out to this dataset repository")
    group.add_argument("--private", action="store_true", help="for your eyes only, if it is new")
    add_options(parser, "arrays", "join", "on_bad_files", "batch_size", "on_bad_rows")
    names = {*_NEEDS, *_NEEDS.values(), *(name for clash in _CLASHES for name in clash)}
    parser.set_defaults(run=_run, defaults={name: parser.get_default(name) for name in names})


def add_shards(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say what shards are."""
    parser.add_argument(
        "--max-shard-size", default="500MB", metavar="SIZE", help="of decoded rows; default: %(default)s"
    )
    parser.add_argument(
        "--format", choices=("parquet", "arrow"), default="parquet", help="arrow: for datasets.load_from_disk"
    )


def _expect_meaning(arguments: argparse.Namespace) -> None:
    """Raise ``OptionError`` if a flag was given that would say nothing."""
    flags = vars(arguments)
    given = {name for name, default in arguments.defaults.items() if flags[name] != default}
    for name, other in _NEEDS.items():
        if name in given and other not in given:
            hint = "hf-h5 plan FILES -o plan.json makes one" if other == "plan" else ""
            raise OptionError(f"{_flag(name)} says nothing without {_flag(other)}", hint=hint)
    for (other, name), hint in _CLASHES.items():
        if {name, other} <= given:
            raise OptionError(f"{_flag(name)} says nothing beside {_flag(other)}", hint=hint)
    if {"plan", "push_to_hub"} <= given and "finalize" not in given:
        raise OptionError("a plan is pushed when all its shards are there", hint="--finalize --push-to-hub does it")


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _run(arguments: argparse.Namespace) -> int:
    from ..tools.convert import run_convert, run_finalize, run_shards

    _expect_meaning(arguments)
    if arguments.push_to_hub is not None and not arguments.finalize:
        return _push(arguments)
    if not arguments.output:
        # Also where a variable of the shell is unset: the current folder is named by a dot.
        hint = "pass -o FOLDER" + (", or --push-to-hub USER/NAME" if arguments.plan is None else "")
        raise OptionError("it is not said where to", hint=hint)
    options, told = given_options(arguments), arguments.console
    if arguments.plan is None:
        if not arguments.files:
            raise OptionError("no file was named", hint="hf-h5 convert FILE... -o FOLDER")
        return run_convert(
            arguments.files,
            arguments.output,
            options=options,
            max_shard_size=arguments.max_shard_size,
            format=arguments.format,
            num_proc=arguments.num_proc,
            engine=arguments.engine,
            address=arguments.address,
            overwrite=arguments.overwrite,
            console=told,
        )
    if arguments.files or options:
        raise OptionError("the plan says which files are read, and how", hint="name them when the plan is made")
    if arguments.finalize:
        target = {"push_to": arguments.push_to_hub, "private": arguments.private}
        return run_finalize(arguments.plan, arguments.output, **target, verify=arguments.verify, console=told)
    return run_shards(arguments.plan, arguments.output, arguments.shard, num_proc=arguments.num_proc, console=told)


def _push(arguments: argparse.Namespace) -> int:
    from ..tools.push import run_push

    if not arguments.files:
        raise OptionError("no file was named", hint="hf-h5 convert FILE... --push-to-hub USER/NAME")
    return run_push(
        arguments.files,
        arguments.push_to_hub,
        output=arguments.output,
        private=arguments.private,
        num_proc=arguments.num_proc,
        options=given_options(arguments),
        max_shard_size=arguments.max_shard_size,
        overwrite=arguments.overwrite,
        argv=arguments.argv,
        console=arguments.console,
    )
