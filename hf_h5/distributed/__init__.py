"""Conversions as plans of shards, which any engine can run: this machine, an array of jobs, a cluster.

``make_plan`` looks at the files once; ``convert_shard`` writes one shard, anywhere and as often as one likes;
``finalize`` sees to it that all are there.
"""

from __future__ import annotations

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
