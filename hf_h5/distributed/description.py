"""What a finished folder says of itself: a card beside Parquet files, the files of ``load_from_disk`` beside Arrow."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from huggingface_hub import DatasetCardData

from ..hub.card_facts import Config, Split
from ..hub.cards import tell_configs
from .plan import Plan
from .reports import ShardReport
from .rows import plan_features
from .storage import Folder

__all__ = ["describe_folder", "remove_description"]

_CARD = "README.md"
_WRITTEN_BY = "<!-- written by hf-h5; remove this line to keep your own text -->"


def describe_folder(plan: Plan, reports: Sequence[ShardReport], folder: Folder) -> None:
    """Write the card, or the states of the splits; a card that someone else wrote is left as it is."""
    if plan.format == "arrow":
        _write_states(plan, folder)
        return
    before = folder.read_text(_CARD)
    if before is None or _WRITTEN_BY in before:
        folder.write_text(_CARD, _card_text(plan, reports, folder))


def remove_description(folder: Folder, splits: Iterable[str]) -> None:
    """Remove what was written of another plan's shards; a card that someone else wrote stays."""
    for split in splits:
        folder.remove(f"{split}/dataset_info.json")
        folder.remove(f"{split}/state.json")
    folder.remove("dataset_dict.json")
    if _WRITTEN_BY in (folder.read_text(_CARD) or ""):
        folder.remove(_CARD)


def _card_text(plan: Plan, reports: Sequence[ShardReport], folder: Folder) -> str:
    card = DatasetCardData()
    tell_configs(card, [_config(plan, reports)])
    sources = len(plan.files)
    what = f"Converted from {sources:,} HDF5 {'file' if sources == 1 else 'files'} by hf-h5 {plan.version}"
    name = folder.place.rstrip("/").rpartition("/")[2]
    # A single word may be the name of something else to `datasets`: parquet, json.
    loading = f"```python\nimport datasets\n\nds = datasets.load_dataset({'./' + name!r})\n```"
    return f"---\n{card}\n---\n{_WRITTEN_BY}\n\n# {name}\n\n{what} (plan {plan.id}).\n\n{loading}\n"


def _config(plan: Plan, reports: Sequence[ShardReport]) -> Config:
    """The only table, without its columns: they would have to be looked up in the HDF5 files, which may be away."""
    of_split: dict[str, list[ShardReport]] = {split: [] for split in plan.num_rows}
    for report in reports:
        of_split[plan.shards[report.number].split].append(report)
    splits = {
        split: Split(sum(each.rows for each in found), sum(each.arrow_bytes for each in found))
        for split, found in of_split.items()
    }
    patterns = {split: [f"{split}-*.parquet"] for split in splits}
    n_bytes = sum(report.n_bytes for report in reports)
    return Config("default", {}, splits, patterns, plan_features(plan), n_bytes)


def _write_states(plan: Plan, folder: Folder) -> None:
    names = ("citation", "description", "homepage", "license")
    info = json.dumps({"features": plan.features} | dict.fromkeys(names, ""), indent=2, sort_keys=True)
    for split in plan.num_rows:
        files = [shard.name.rpartition("/")[2] for shard in plan.shards if shard.split == split]
        folder.write_text(f"{split}/dataset_info.json", info)
        folder.write_text(f"{split}/state.json", json.dumps(_state(plan, split, files), indent=2, sort_keys=True))
    folder.write_text("dataset_dict.json", json.dumps({"splits": list(plan.num_rows)}))


def _state(plan: Plan, split: str, files: Sequence[str]) -> dict[str, object]:
    """What ``load_from_disk`` looks for; the fingerprint tells this table from others in caches."""
    return {
        "_data_files": [{"filename": file} for file in files],
        "_fingerprint": f"{plan.id}{split}",
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": split,
    }
