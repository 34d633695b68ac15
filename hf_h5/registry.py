"""The one place that touches private tables of ``datasets``, and the differences between its versions.

``datasets`` finds builders by name in a dictionary of packaged modules; adding an entry makes
``load_dataset("hf_h5", ...)`` work, in this process and in every worker that unpickles such a builder.
"""

from __future__ import annotations

import hashlib
from typing import Any

import datasets
from datasets import packaged_modules

__all__ = ["BUILDER_NAME", "make_key", "make_list", "parse_split", "register_builder"]

BUILDER_NAME = "hf_h5"
_MODULE = "hf_h5.hf_h5"
# Raise it when the same file and options give other Arrow bytes: old caches are then left aside.
CACHE_FORMAT = 1


def register_builder() -> None:
    """Make the builder known to ``datasets`` by its name; calling it twice changes nothing."""
    # The value's second part names the last folder of the cache path: it must not change with the source text.
    digest = hashlib.sha256(f"{BUILDER_NAME}:{CACHE_FORMAT}".encode()).hexdigest()
    packaged_modules._PACKAGED_DATASETS_MODULES[BUILDER_NAME] = (_MODULE, digest)


def make_list(feature: Any, length: int = -1) -> Any:
    """``List(feature, length)``, under the name that the installed version has for it."""
    if hasattr(datasets, "List"):
        return datasets.List(feature, length=length)
    if isinstance(feature, dict) and length == -1:
        # Before 4.0 a Sequence of a dict was a dict of lists; a list of dicts was written as a Python list.
        return [feature]
    return datasets.Sequence(feature, length=length)


def make_key(shard: int, batch: int) -> Any:
    """The key of a batch: a ``Key`` from 4.5 on, a string before."""
    from datasets import builder

    return builder.Key(shard, batch) if hasattr(builder, "Key") else f"{shard}_{batch}"


def parse_split(text: str, lengths: dict[str, int]) -> list[tuple[str, int, int]]:
    """Read a split such as ``"train[:10%]+test"`` as ``datasets`` does: ``(split, start, stop)`` in order."""
    instructions = datasets.ReadInstruction.from_spec(text).to_absolute(lengths)
    return [
        (each.splitname, each.from_ or 0, lengths[each.splitname] if each.to is None else each.to)
        for each in instructions
    ]
