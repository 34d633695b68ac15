"""Dataset cards: the YAML that tells ``datasets`` and the Hub what is there, and the text for people.

What is between two marks belongs to this package and is written anew with every push. What the user wrote around them,
and what the YAML says beyond it, stays.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any

import datasets
import yaml
from datasets.info import DatasetInfosDict
from datasets.splits import SplitDict, SplitInfo
from datasets.utils.metadata import MetadataConfigs
from huggingface_hub import DatasetCard, DatasetCardData

from ..errors import DataError
from .card_facts import CardFacts, Config
from .card_text import card_body, plain_text, title_of

__all__ = ["make_card", "tell_configs"]

_BEGIN = "<!-- hf-h5 begins: written anew with every push; what is before and after stays as it is -->"
_END = "<!-- hf-h5 ends -->"
_TAGS = ("hdf5", "hf-h5")
_SIZES = {10**3: "n<1K", 10**4: "1K<n<10K", 10**5: "10K<n<100K", 10**6: "100K<n<1M", 10**7: "1M<n<10M"}
_SIZES |= {10**8: "10M<n<100M", 10**9: "100M<n<1B", 10**10: "1B<n<10B", 10**11: "10B<n<100B", 10**12: "100B<n<1T"}


def make_card(facts: CardFacts, before: str | None = None) -> str:
    """Return the text of a card, with its YAML.

    Parameters
    ----------
    before
        The card that is there; its text, and what its YAML says of other things and tables, is kept.

    Raises
    ------
    DataError
        If the YAML of the card that is there cannot be read.
    """
    card = _read(facts, before or "")
    _tell(card.data, facts)
    text = card.text
    ours = f"{_BEGIN}\n\n{card_body(facts)}\n\n{_END}"
    head, begin, rest = text.partition(_BEGIN)
    _, end, tail = rest.partition(_END)
    if begin and end:
        card.text = f"{head}{ours}{tail}"
    elif text.strip():
        card.text = f"{text.rstrip()}\n\n{ours}\n"
    else:
        card.text = f"\n# {plain_text(title_of(facts))}\n\n{ours}\n"
    return str(card)


def _read(facts: CardFacts, before: str) -> Any:
    # Without a block of YAML the reader of cards warns.
    text = before if before.lstrip().startswith("---") else f"---\n{{}}\n---\n{before}"
    try:
        return DatasetCard(text)
    except (ValueError, yaml.YAMLError) as error:
        raise DataError(
            f"the YAML at the beginning of the dataset's card cannot be read: {error}",
            file=f"hf://datasets/{facts.repo_id}/README.md",
            hint="mend it on the page of the dataset, and push again",
        ) from error


def _tell(data: Any, facts: CardFacts) -> None:
    """Put what a push knows into the YAML."""
    data["pretty_name"] = data.get("pretty_name") or title_of(facts)
    tags = data.get("tags") or []
    tags = [tags] if isinstance(tags, str) else list(tags)
    data["tags"] = tags + [tag for tag in _TAGS if tag not in tags]
    data["size_categories"] = [_size_category(facts.n_rows)]
    tell_configs(data, facts.configs)


def tell_configs(data: DatasetCardData, configs: Sequence[Config]) -> None:
    """Put into the YAML of a card which files make which splits and, where it is known, what is in them."""
    found = {config.name: _metadata_config(config) for config in configs}
    MetadataConfigs(found).to_dataset_card_data(data)
    _forget_infos(data, found)
    infos = {config.name: _info(config) for config in configs if config.features is not None}
    DatasetInfosDict(infos).to_dataset_card_data(data)


def _forget_infos(data: DatasetCardData, names: Container[str]) -> None:
    """Leave out what the card says of rows that were there before: ``datasets`` refuses others that it then finds."""
    before = data.get("dataset_info")
    if before is None:
        return
    # One that is alone may be no list.
    infos = before if isinstance(before, list) else [before]
    kept = [info for info in infos if (info.get("config_name") or "default") not in names]
    data["dataset_info"] = kept
    if not kept:
        data.pop("dataset_info")


def _size_category(n_rows: int) -> str:
    return next((name for limit, name in _SIZES.items() if n_rows < limit), "n>1T")


def _metadata_config(config: Config) -> dict[str, Any]:
    files = [
        {"split": split, "path": patterns[0] if len(patterns) == 1 else list(patterns)}
        for split, patterns in config.data_files.items()
    ]
    # Builders of other kinds of files do not know our options.
    return {"data_files": files, **(config.told_options if config.features is None else {})}


def _info(config: Config) -> datasets.DatasetInfo:
    splits = SplitDict()
    for name, split in config.splits.items():
        splits.add(SplitInfo(name, num_bytes=split.n_bytes, num_examples=split.n_rows))
    size = sum(split.n_bytes for split in config.splits.values())
    return datasets.DatasetInfo(
        features=config.features, splits=splits, download_size=config.download_bytes, dataset_size=size
    )
