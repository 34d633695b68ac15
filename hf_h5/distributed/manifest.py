"""Plans in files, and which plan a folder is written by: it lies in the folder, and no other one is mixed in."""

from __future__ import annotations

import json
import os
import re
from typing import Any

from ..errors import MissingFileError, OptionError
from ..remote.secrets import has_secret
from ..version import installed_version
from .description import remove_description
from .plan import Plan, expect_plan, parse_plan
from .storage import Folder, expect_no_folder, open_folder, open_folder_of

__all__ = ["MANIFEST", "expect_no_secrets", "expect_own", "load_plan", "open_output", "save_plan"]

MANIFEST = ".hf-h5-convert.json"
"""The plan; its name begins with a dot, so that ``datasets`` takes it for no data."""

_HOW = "hf-h5 plan FILES -o plan.json makes one"
_SUFFIXES = (".parquet", ".arrow")
# The first lines of a plan, whatever its size.
_HEAD_BYTES = 200


def save_plan(plan: Plan, file: str | os.PathLike[str]) -> None:
    """Write a plan to a path or URL, as JSON.

    Raises
    ------
    OptionError
        If a file is a URL with a password, token or signature, which a plan does not hold.
    """
    expect_plan(plan)
    expect_no_secrets(plan, "what is secret in a URL is not written into a plan, and no job could read the file")
    expect_no_folder(file, "a plan is a file", "for example plan.json")
    folder, name = open_folder_of(file)
    folder.write_text(name, plan.to_json())


def expect_no_secrets(plan: Plan, problem: str) -> None:
    """Raise ``OptionError`` if files of a plan are URLs that only this process and its workers know."""
    named = (name for names in plan.named.values() for name in names)
    file = next((each for each in named if has_secret(each)), None)
    if file is not None:
        raise OptionError(
            problem,
            file=file,
            hint="name it by a URL without secrets, for which each job finds the credentials in its environment "
            "(s3://, gs://, hf://); or convert on this machine: hf-h5 convert FILES -o FOLDER --num-proc N",
        )


def load_plan(file: str | os.PathLike[str]) -> Plan:
    """Read a plan that `save_plan` wrote.

    Raises
    ------
    MissingFileError
        If there is no such file.
    OptionError
        If it holds no plan, or one of another version.
    """
    expect_no_folder(file, "a plan is a file", _HOW)
    folder, name = open_folder_of(file)
    try:
        text = folder.read_text(name)
    except UnicodeDecodeError as error:
        raise OptionError("this is no plan, and no text", file=file, hint=_HOW) from error
    if text is None:
        raise MissingFileError("there is no such plan", file=file, hint=_HOW)
    return parse_plan(text, source=os.fspath(file), version=installed_version())


def open_output(plan: Plan, out: str | os.PathLike[str], *, overwrite: bool = False, will_write: bool = True) -> Folder:
    """The folder of a plan's shards; made, and marked as that of the plan, if it is new.

    Parameters
    ----------
    overwrite
        Whether what another plan wrote there is removed.
    will_write
        Whether a folder that is of no plan yet is made, and marked as that of this one.

    Raises
    ------
    OptionError
        If the folder holds data of something else, or is being written by another plan.
    """
    folder = open_folder(out)
    if _id_of(folder) == plan.id:
        return folder
    before = _plan_before(folder)
    known = [shard["name"] for shard in before.get("shards", [])]
    present = set(folder.names())
    foreign = sorted(name for name in present - set(known) if name.endswith(_SUFFIXES))
    ours = [name for name in known if name in present]
    if (foreign or (ours and not overwrite)) and _id_of(folder) != plan.id:
        what = f"{foreign[0]}, which hf-h5 did not write" if foreign else "shards of other files, options or sizes"
        emptied = ", or empty this one; hf-h5 convert FILES --overwrite does, where it makes the plan itself"
        hint = "name another folder" + ("" if foreign else emptied)
        raise OptionError(f"the folder holds {what}", file=folder.place, hint=hint)
    if not will_write:
        return folder
    # Before its first shard is whole, nothing but these tells a conversion that is under way from one that was killed.
    writing = folder.being_written(known) if known else []
    if writing and not overwrite and _id_of(folder) != plan.id:
        hint = "name another folder, or wait for it; if it runs no more, remove that file"
        raise OptionError(f"another conversion is writing into the folder: {writing[0]}", file=folder.place, hint=hint)
    for name in ours:
        folder.remove(name)
    if known:
        remove_description(folder, {shard["split"] for shard in before["shards"]})
    folder.write_text(MANIFEST, plan.to_json())
    return folder


def expect_own(plan: Plan, folder: Folder) -> None:
    """Raise ``OptionError`` if a folder that was marked as that of a plan is so no longer.

    Two conversions that begin at once in a new folder may both have marked it, where neither sees what the other
    writes; the last mark holds, and under it no shard of the other plan may take the place of one of its own.
    """
    if _id_of(folder) != plan.id:
        raise OptionError(
            "the folder was given to another conversion while this one wrote into it",
            file=folder.place,
            hint="nothing was replaced; convert into another folder",
        )


def _id_of(folder: Folder) -> str | None:
    """The id of the plan that the folder is of."""
    try:
        with folder.open(MANIFEST) as stream:
            head = stream.read(_HEAD_BYTES).decode("utf-8", "replace")
    except FileNotFoundError:
        return None
    found = re.search(r'"id": "([0-9a-f]{16})"', head)
    return found[1] if found else None


def _plan_before(folder: Folder) -> dict[str, Any]:
    try:
        found = json.loads(folder.read_text(MANIFEST) or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
