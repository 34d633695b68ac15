"""The how-to page's replacements against the hand-written classes themselves."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

import hf_h5
from hf_h5 import H5TorchView
from tests.howto import handwritten
from tests.howto.pages import python_blocks

N_ROWS = 50
KEYS = ["obs/image", "obs/state", "action", "reward"]
BEFORE_1, AFTER_1, LOADER, BEFORE_2, AFTER_2, BEFORE_3, AFTER_3 = python_blocks(
    "docs/how-to/replace-your-dataset-class.md"
)


def random_flip(batch: dict[str, Any]) -> dict[str, Any]:
    """Do what the page's function does; here, so that a spawned worker can import it."""
    images = batch["images"]
    flipped = torch.rand(len(images)) < 0.5
    images[flipped] = images[flipped].flip(-1)
    return batch


@pytest.fixture
def train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """``train.h5`` in the working folder: images that no flip leaves as they are, and labels that number them."""
    monkeypatch.chdir(tmp_path)
    with h5py.File("train.h5", "w") as handle:
        images = np.arange(N_ROWS * 6 * 8, dtype=np.uint16).reshape(N_ROWS, 6, 8) % 251
        handle.create_dataset("images", data=images.astype(np.uint8), chunks=(8, 6, 8), compression="gzip")
        handle["labels"] = np.arange(N_ROWS, dtype=np.int64)
    return tmp_path / "train.h5"


@pytest.fixture
def steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """``steps.h5`` in the working folder: groups, several types, and a dataset that nobody asks for."""
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(0)
    with h5py.File("steps.h5", "w") as handle:
        handle["obs/image"] = generator.integers(0, 255, (N_ROWS, 4, 4, 3), dtype=np.uint8)
        handle["obs/state"] = generator.normal(size=(N_ROWS, 7))
        handle["action"] = generator.normal(size=(N_ROWS, 2)).astype(np.float32)
        handle["reward"] = generator.normal(size=N_ROWS).astype(np.float32)
        handle["debug"] = np.zeros((N_ROWS, 1000))
    return tmp_path / "steps.h5"


def run(block: str) -> dict[str, Any]:
    """Run a block of the page with the imports that it takes for granted."""
    names = {"hf_h5": hf_h5, "H5TorchView": H5TorchView, "torch": torch, "h5py": h5py, "Dataset": Dataset}
    exec(compile(block, "replace-your-dataset-class.md", "exec"), names)  # the page's own code, from this repository
    return names


def equal(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one.dtype == other.dtype and torch.equal(one, other)


def flips(rows: Dataset[Any], images: np.ndarray[Any, Any], **settings: Any) -> list[list[bool]]:
    """Return per batch which samples came out flipped, after checking that all others came out as they are."""
    batches = []
    for found, labels in DataLoader(rows, batch_size=10, **settings):
        stored = images[labels.numpy()]
        was_flipped = (found.numpy() == stored[..., ::-1]).all(axis=(1, 2))
        was_kept = (found.numpy() == stored).all(axis=(1, 2))
        assert (was_flipped ^ was_kept).all()
        batches.append(was_flipped.tolist())
    return batches


@pytest.mark.parametrize(
    ("block", "written"),
    [
        (BEFORE_1, handwritten.ImagesAndLabels),
        (BEFORE_2, handwritten.ManyFields),
        (BEFORE_3, handwritten.RandomFlip),
    ],
)
def test_the_page_shows_the_class_that_is_tested(block: str, written: type) -> None:
    assert block == inspect.getsource(written)


def test_the_page_shows_the_transform_that_is_tested() -> None:
    written = [line for line in inspect.getsource(random_flip).splitlines()[2:] if line]
    shown = [line for line in AFTER_3.splitlines()[1:] if line]
    assert shown[: len(written)] == written


def test_images_and_labels_are_the_same_row_by_row(train: Path) -> None:
    by_hand = handwritten.ImagesAndLabels(train)
    with run(AFTER_1)["view"] as view:
        assert len(view) == len(by_hand) == N_ROWS
        for row in range(N_ROWS):
            (image, label), (image_by_hand, label_by_hand) = view[row], by_hand[row]
            assert equal(image, image_by_hand)
            assert equal(label, label_by_hand)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_images_and_labels_are_the_same_in_shuffled_batches(train: Path, num_workers: int) -> None:
    def batches(rows: Dataset[Any], **settings: Any) -> list[Any]:
        order = torch.Generator().manual_seed(7)
        return list(DataLoader(rows, batch_size=8, shuffle=True, generator=order, **settings))

    # Forked workers of the hand-written class would share its handle, which is why it reads in this process.
    by_hand = batches(handwritten.ImagesAndLabels(train))
    with run(AFTER_1)["view"] as view:
        found = batches(view, num_workers=num_workers, collate_fn=hf_h5.collate)
        default = batches(view, num_workers=num_workers)
    assert len(found) == len(default) == len(by_hand)
    for one, two, three in zip(found, default, by_hand, strict=True):
        assert all(map(equal, one, three))
        assert all(map(equal, two, three))


def test_the_page_loops_over_the_loader(train: Path) -> None:
    names = run(AFTER_1 + "from torch.utils.data import DataLoader\n" + LOADER)
    assert len(names["images"]) == len(names["labels"]) == N_ROWS % 64
    names["view"].close()


def test_many_fields_are_the_same_row_by_row(steps: Path) -> None:
    by_hand = handwritten.ManyFields(steps, KEYS)
    with run(AFTER_2)["view"] as view:
        assert len(view) == len(by_hand)
        for row in range(N_ROWS):
            found, expected = view[row], by_hand[row]
            assert found.keys() == expected.keys()
            assert all(equal(found[key], expected[key]) for key in KEYS)


def test_many_fields_are_the_same_in_batches(steps: Path) -> None:
    by_hand = list(DataLoader(handwritten.ManyFields(steps, KEYS), batch_size=16))
    with run(AFTER_2)["view"] as view:
        found = list(DataLoader(view, batch_size=16, num_workers=2, collate_fn=hf_h5.collate))
    for one, other in zip(found, by_hand, strict=True):
        assert all(equal(one[key], other[key]) for key in KEYS)


def test_flips_are_those_of_the_class_under_the_same_seed(train: Path) -> None:
    def epoch(rows: Dataset[Any]) -> list[Any]:
        torch.manual_seed(5)
        return list(DataLoader(rows, batch_size=16))

    by_hand = epoch(handwritten.RandomFlip(train))
    with run(AFTER_3)["view"] as view:
        found = epoch(view)
    for one, other in zip(found, by_hand, strict=True):
        assert all(map(equal, one, other))


@pytest.mark.parametrize(
    ("num_workers", "context", "collate"),
    [(0, None, None), (0, None, hf_h5.collate), (2, "fork", hf_h5.collate), (2, "spawn", hf_h5.collate)],
    ids=["no workers, rows", "no workers", "fork", "spawn"],
)
def test_flips_differ_between_samples_and_epochs_and_repeat_under_a_seed(
    train: Path, num_workers: int, context: str | None, collate: Callable[[Any], Any] | None
) -> None:
    with h5py.File(train) as handle:
        images = handle["images"][:]
    settings = {"num_workers": num_workers, "multiprocessing_context": context, "collate_fn": collate}
    view = H5TorchView(train).with_format("torch", dtype=None).with_transform(random_flip)
    with view.as_tuple("images", "labels") as rows:
        torch.manual_seed(0)
        first, second = flips(rows, images, **settings), flips(rows, images, **settings)
        torch.manual_seed(0)
        again = flips(rows, images, **settings)
    assert {flipped for batch in first for flipped in batch} == {True, False}
    assert first != second
    assert first == again


def test_flips_differ_between_workers(train: Path) -> None:
    with h5py.File(train) as handle:
        images = handle["images"][:]
    with run(AFTER_3)["view"] as view:
        torch.manual_seed(0)
        batches = flips(view, images, num_workers=2, collate_fn=hf_h5.collate)
    # Batches are dealt in turn: the first is the first of one worker, the second the first of the other.
    assert batches[0] != batches[1]


def test_a_row_alone_is_flipped_or_not_as_well(train: Path) -> None:
    with h5py.File(train) as handle:
        stored = torch.as_tensor(handle["images"][3])
    with run(AFTER_3)["view"] as view:
        found = [view[3][0] for _ in range(40)]
    flipped = [torch.equal(image, stored.flip(-1)) for image in found]
    kept = [torch.equal(image, stored) for image in found]
    assert any(flipped)
    assert any(kept)
    assert sum(flipped) + sum(kept) == 40
