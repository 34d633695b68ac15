"""Does a dataset card tell what is there, in words that cannot be misused, and keep what the user wrote."""

from __future__ import annotations

import datasets
import numpy as np
import pytest
import yaml
from huggingface_hub import DatasetCard

from hf_h5.describe.elements import Number, Text
from hf_h5.describe.schema import Column
from hf_h5.errors import DataError
from hf_h5.hub.card_facts import CardFacts, Config, Source, Split
from hf_h5.hub.cards import make_card

ATTRS = {"units": "counts", "long_name": "Pixels"}
IMAGES = Column("images", "/images", "rows", Number(np.dtype("uint8")), (8, 8), attrs=ATTRS)
NAMES = Column("names", "/names", "rows", Text(), ())
FEATURES = datasets.Features({"images": datasets.Array2D((8, 8), "uint8"), "names": datasets.Value("string")})
SPLITS = {"train": Split(1000, 64_000), "test": Split(500, 32_000)}
FILES = {split: [f"data/{split}-*"] for split in SPLITS}


def facts(**changed: object) -> CardFacts:
    config = Config("default", {"images": IMAGES, "names": NAMES}, SPLITS, FILES, FEATURES, 5000, {"table": "/a"})
    given = {
        "repo_id": "alice/digits",
        "configs": [config],
        "sources": [Source("digits.h5", 12_345, "ab" * 32)],
        "attrs": {"title": "Handwritten digits", "year": 1998},
        "command": "hf-h5 convert digits.h5 --push-to-hub alice/digits",
        "version": "1.2",
    }
    return CardFacts(**(given | changed))  # type: ignore[arg-type]


def test_the_yaml_says_what_clients_ask_for() -> None:
    data = DatasetCard(make_card(facts())).data.to_dict()
    assert data["pretty_name"] == "Handwritten digits"
    assert data["tags"] == ["hdf5", "hf-h5"]
    assert data["size_categories"] == ["1K<n<10K"]
    splits = [{"split": "train", "path": "data/train-*"}, {"split": "test", "path": "data/test-*"}]
    assert data["configs"] == [{"config_name": "default", "data_files": splits}]
    assert datasets.Features._from_yaml_list(data["dataset_info"]["features"]) == FEATURES
    assert [each["num_examples"] for each in data["dataset_info"]["splits"]] == [1000, 500]
    assert (data["dataset_info"]["download_size"], data["dataset_info"]["dataset_size"]) == (5000, 96_000)


@pytest.mark.parametrize(
    "told",
    [
        "# Handwritten digits",
        "| `images` | `Array2D(shape=(8, 8), dtype='uint8')` | counts | Pixels |",
        "train: 1,000 rows, test: 500 rows",
        f"| `digits.h5` | 12.3 kB | `{'ab' * 32}` |",
        "hf-h5 convert digits.h5 --push-to-hub alice/digits",
        'load_dataset("alice/digits", split="train")',
        "hf_h5.H5TorchView('digits.h5', split=\"train\", table='/a')",
        "| `year` | 1998 |",
    ],
)
def test_the_text_tells_people(told: str) -> None:
    assert told in make_card(facts())


def test_hdf5_as_it_is_comes_with_its_options_and_without_features() -> None:
    options = {"table": "/a", "threads": 2, "remote_cache_bytes": 0, "arrays": "list"}
    config = Config("default", {"images": IMAGES}, {"train": Split(1000, 1)}, {"train": ["a.h5"]}, options=options)
    card = make_card(facts(configs=[config]))
    data = DatasetCard(card).data.to_dict()
    assert data["configs"] == [
        {"config_name": "default", "data_files": [{"split": "train", "path": "a.h5"}], "table": "/a"}
    ]
    assert "dataset_info" not in data
    assert "hf_h5.H5TorchView(\"hf://datasets/alice/digits/a.h5\", table='/a')" in card


def test_a_second_push_changes_its_own_part_only() -> None:
    first = make_card(facts())
    edited = first.replace("# Handwritten digits", "# My digits\n\nRead this first.") + "\n## License\n\nMine.\n"
    edited = edited.replace("pretty_name: Handwritten digits", "pretty_name: My digits\nlicense: mit\nlanguage: en")
    edited = edited.replace("- hdf5", "- hdf5\n- ocr")
    second = make_card(facts(version="1.3"), edited)
    assert second == edited.replace("With hf-h5 1.2", "With hf-h5 1.3")


def test_the_text_and_tables_of_another_card_are_kept() -> None:
    before = "---\nlicense: mit\nconfigs:\n- config_name: other\n  data_files: other/*\n---\n# Mine\n\nMy words.\n"
    card = make_card(facts(), before)
    data = DatasetCard(card).data.to_dict()
    assert [each["config_name"] for each in data["configs"]] == ["default", "other"]
    assert data["license"] == "mit"
    assert card.split("---\n")[2].startswith("# Mine\n\nMy words.\n\n<!-- hf-h5 begins")


@pytest.mark.parametrize(
    ("before", "kept"),
    [
        ({"features": [], "splits": []}, []),
        ({"config_name": "default", "features": []}, []),
        ([{"config_name": "default"}, {"config_name": "other", "dataset_size": 3}], ["other"]),
        ({"config_name": "other", "dataset_size": 3}, ["other"]),
    ],
    ids=["alone", "named", "of two", "of another"],
)
def test_nothing_is_kept_of_the_rows_that_were_there(before: object, kept: list[str]) -> None:
    config = Config("default", {"images": IMAGES}, {"train": Split(1000, 1)}, {"train": ["a.h5"]})
    text = f"---\n{yaml.safe_dump({'dataset_info': before})}---\n"
    data = DatasetCard(make_card(facts(configs=[config]), text)).data.to_dict()
    infos = data.get("dataset_info", [])
    assert [each["config_name"] for each in (infos if isinstance(infos, list) else [infos])] == kept


def test_a_card_whose_yaml_is_broken_is_left_alone() -> None:
    with pytest.raises(DataError, match="mend it"):
        make_card(facts(), "---\na: [\n---\n# Mine\n")


def test_names_of_strangers_stay_where_they_are_put() -> None:
    evil = Column("a|b", "/a", "rows", Text(), (), attrs={"description": "x | y\n<!-- hf-h5 ends --><script>"})
    config = Config("default", {"a|b": evil}, SPLITS, FILES, FEATURES)
    card = make_card(facts(configs=[config], attrs={"title": "<img>"}))
    assert "| `a&#124;b` | `Value('string')` |  | x &#124; y &lt;!-- hf-h5 ends --&gt;&lt;script&gt; |" in card
    assert card.count("<!-- hf-h5 ends -->") == 1
    assert "<img>" not in card.split("---\n")[2]


@pytest.mark.parametrize(("n_rows", "size"), [(0, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (10**12, "n>1T")])
def test_sizes_are_those_of_the_hub(n_rows: int, size: str) -> None:
    config = Config("default", {}, {"train": Split(n_rows, 0)}, {"train": ["data/train-*"]}, FEATURES)
    assert DatasetCard(make_card(facts(configs=[config]))).data.to_dict()["size_categories"] == [size]
