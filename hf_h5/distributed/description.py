"""What a finished folder says of itself: a card beside Parquet files, the files of ``load_from_disk`` beside Arrow."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import datasets
from datasets.info import DatasetInfosDict
from datasets.splits import SplitDict, SplitInfo
from datasets.utils.metadata import MetadataConfigs
from huggingface_hub import DatasetCardData

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
    DatasetInfosDict({"default": _info(plan, reports)}).to_dataset_card_data(card)
    paths = [{"split": split, "path": f"{split}-*.parquet"} for split in plan.num_rows]
    MetadataConfigs({"default": {"data_files": paths}}).to_dataset_card_data(card)
    sources = len(plan.files)
    what = f"Converted from {sources:,} HDF5 {'file' if sources == 1 else 'files'} by hf-h5 {plan.version}"
    name = folder.place.rstrip("/").rpartition("/")[2]
    loading = f"```python\nimport datasets\n\nds = datasets.load_dataset({name!r})\n```"
    return f"---\n{card}\n---\n{_WRITTEN_BY}\n\n# {name}\n\n{what} (plan {plan.id}).\n\n{loading}\n"


def _info(plan: Plan, reports: Sequence[ShardReport]) -> datasets.DatasetInfo:
    infos = SplitDict()
    for split in plan.num_rows:
        infos.add(SplitInfo(split))
    for report in reports:
        info = infos[plan.shards[report.number].split]
        info.num_examples += report.rows
        info.num_bytes += report.arrow_bytes
    features, written = plan_features(plan), sum(report.n_bytes for report in reports)
    size = sum(info.num_bytes for info in infos.values())
    return datasets.DatasetInfo(features=features, splits=infos, download_size=written, dataset_size=size)


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
