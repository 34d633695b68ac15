"""What a mapped dataset could get wrong where a converted one does not."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import datasets
import h5py
import numpy as np
import pytest
from torch.utils.data import DataLoader

import hf_h5
from hf_h5.errors import FileChangedError, H5Warning
from tests.hub.client import Client
from tests.hub.fixtures import ALICE

from . import hub_users

# So many that what follows the images is aligned.
N = 48


def write_rows(file: Path, **options: object) -> Path:
    with h5py.File(file, "w", **options) as out:
        out["image"] = np.arange(N * 6, dtype="u1").reshape(N, 2, 3)
        out["label"] = np.arange(N)
    return file


def test_what_was_never_written_is_not_mapped_even_behind_a_user_block(tmp_path: Path) -> None:
    """With a user block, a dataset without storage has an offset all the same: that of the block."""
    file = write_rows(tmp_path / "a.h5", userblock_size=512)
    with h5py.File(file, "a") as out:
        out.create_dataset("never", (N,), "f8")
        out.create_dataset("filled", (N,), "i4", fillvalue=7)
        out.create_dataset("later", (N, 2), "f4")[3] = 1
    with open(file, "r+b") as block:
        block.write(b"not zero" * 64)
    with pytest.warns(H5Warning, match="not mapped: filled .*never"):
        mapped = hf_h5.open_dataset(file)
    assert mapped[3] == {
        "filled": 7,
        "image": [[18, 19, 20], [21, 22, 23]],
        "label": 3,
        "later": [1.0, 1.0],
        "never": 0.0,
    }


def test_a_pickle_is_small_however_large_the_file(tmp_path: Path) -> None:
    mapped = hf_h5.open_dataset(write_rows(tmp_path / "a.h5"))
    assert len(pickle.dumps(mapped.data)) < 4000
    assert len(pickle.dumps(datasets.concatenate_datasets([mapped] * 2))) < 8000


def test_casting_copies_to_the_cache(tmp_path: Path) -> None:
    mapped = hf_h5.open_dataset(write_rows(tmp_path / "a.h5"))
    changed = mapped.cast_column("label", datasets.Value("int16"))
    assert changed.features["label"] == datasets.Value("int16")
    assert changed["label"][:3] == mapped["label"][:3] == [0, 1, 2]
    assert Path(changed.cache_files[0]["filename"]).is_relative_to(datasets.config.HF_DATASETS_CACHE)
    assert os.listdir(tmp_path) == ["a.h5"]
    assert pickle.loads(pickle.dumps(changed))[7] == changed[7]


def test_rows_are_read_where_no_cache_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_folder = tmp_path / "a file"
    no_folder.touch()
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", no_folder / "datasets")
    assert hf_h5.open_dataset(write_rows(tmp_path / "a.h5"))["label"][:3] == [0, 1, 2]


def test_a_stream_of_it_is_shared_out_among_workers(tmp_path: Path) -> None:
    mapped = hf_h5.open_dataset(write_rows(tmp_path / "a.h5")).select_columns("label")
    stream = mapped.to_iterable_dataset(num_shards=4).with_format("torch")
    rows = [row for batch in DataLoader(stream, batch_size=5, num_workers=2) for row in batch["label"].tolist()]
    assert sorted(rows) == list(range(N))


def test_a_file_that_changed_is_an_error_in_what_was_made_of_it(tmp_path: Path) -> None:
    file = write_rows(tmp_path / "a.h5")
    mapped = hf_h5.open_dataset(file)
    made = [
        mapped.shuffle(seed=1),
        mapped.rename_column("label", "y"),
        mapped.with_format("torch"),
    ]
    os.truncate(file, 900)
    for each in made:
        for key in (3, [4, 1], slice(2, 5)):
            with pytest.raises(FileChangedError, match=r"a\.h5"):
                each[key]


def test_of_concatenated_ones_it_is_an_error_for_workers_and_views(tmp_path: Path) -> None:
    """The table that datasets makes of several asks none of them when it is read."""
    file = write_rows(tmp_path / "a.h5")
    mapped = hf_h5.open_dataset(file)
    joined = datasets.concatenate_datasets([mapped, mapped])
    text, view = pickle.dumps(joined), hf_h5.H5TorchView.from_dataset(joined)
    os.truncate(file, 900)
    for use in (lambda: pickle.loads(text), lambda: view[3], lambda: view[[60, 4]]):
        with pytest.raises(FileChangedError, match=r"a\.h5"):
            use()


def test_parts_of_splits(tmp_path: Path) -> None:
    mapped = hf_h5.open_dataset(write_rows(tmp_path / "a.h5"), split="train[40:]+train[:25%]")
    assert mapped["label"][:] == [*range(40, 48), *range(12)]


def test_it_is_pushed_to_the_hub(tmp_path: Path, client: Client) -> None:
    file = write_rows(tmp_path / "a.h5")
    client.call(hub_users.push_mapped, file, "alice/mapped", token=ALICE)
    features, rows = client.call(hub_users.load_back, "alice/mapped", tmp_path / "cache")
    mapped = hf_h5.open_dataset(file)
    assert features == str(mapped.features)
    assert rows == mapped[:]
