"""Conversions as plans of shards, which any engine can run: this machine, an array of jobs, Ray, Dask.

``make_plan`` looks at the files once; ``convert_shard`` writes one shard, anywhere and as often as one likes;
``finalize`` sees to it that all are there. ``ray`` holds the adapters to Ray, and imports it on first use.
"""

from __future__ import annotations

import importlib
from typing import Any

from .finish import finalize
from .manifest import load_plan, save_plan
from .plan import FileVersion, Plan, PlannedShard
from .planning import make_plan
from .reports import Finished, ShardReport
from .shards import convert_shard

__all__ = [
    "FileVersion",
    "Finished",
    "Plan",
    "PlannedShard",
    "ShardReport",
    "convert_shard",
    "finalize",
    "load_plan",
    "make_plan",
    "save_plan",
]


def __getattr__(name: str) -> Any:
    if name == "ray":
        return importlib.import_module("hf_h5.distributed.ray")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "ray"})
