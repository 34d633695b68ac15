"""transformers' Trainer over a view: the losses of the cached mode, with and without workers, and after a resume."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import pytest
import torch

import hf_h5

from .rows import N_ROWS, Classifier, write_rows

transformers = pytest.importorskip("transformers", reason="transformers is not installed: make frameworks")
pytest.importorskip("accelerate", reason="accelerate is not installed: make frameworks")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_rows(tmp_path / "rows.h5")


def make_trainer(rows: Any, folder: Path, collate: Any = None, **settings: Any) -> tuple[Any, Classifier]:
    chosen = {
        "num_train_epochs": 2,
        "per_device_train_batch_size": 16,
        "learning_rate": 0.05,
        "lr_scheduler_type": "constant",
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": [],
        "use_cpu": True,
        "disable_tqdm": True,
        "seed": 7,
        **settings,
    }
    model = Classifier()
    arguments = transformers.TrainingArguments(output_dir=str(folder / "out"), **chosen)
    trainer = transformers.Trainer(
        model=model,
        args=arguments,
        train_dataset=rows,
        eval_dataset=rows,
        data_collator=collate or torch.utils.data.default_collate,
    )
    return trainer, model


def losses(trainer: Any) -> list[float]:
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


@pytest.fixture
def cached_losses(file: Path, tmp_path: Path) -> list[float]:
    """Return the losses of training on the cached dataset."""
    cached = datasets.load_dataset("hf_h5", data_files=str(file), split="train", cache_dir=str(tmp_path / "cache"))
    trainer, _ = make_trainer(cached.with_format("torch"), tmp_path / "cached")
    trainer.train()
    assert len(losses(trainer)) == 26
    return losses(trainer)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("collate", [None, hf_h5.collate], ids=["default", "hf_h5"])
def test_the_view_trains_to_the_losses_of_the_cached_mode(
    file: Path, tmp_path: Path, cached_losses: list[float], workers: int, collate: Any
) -> None:
    with hf_h5.H5TorchView(file) as view:
        trainer, model = make_trainer(view, tmp_path, collate, dataloader_num_workers=workers)
        trainer.train()
        assert losses(trainer) == cached_losses
        assert sorted(row for batch in model.seen[:13] for row in batch) == list(range(N_ROWS))
        assert trainer.evaluate()["eval_loss"] < cached_losses[0]


def test_training_goes_on_from_a_checkpoint_in_mid_epoch(
    file: Path, tmp_path: Path, cached_losses: list[float]
) -> None:
    with hf_h5.H5TorchView(file) as view:
        trainer, _ = make_trainer(view, tmp_path, max_steps=17, save_strategy="steps", save_steps=17)
        trainer.train()
        resumed, model = make_trainer(view, tmp_path, save_strategy="steps", save_steps=17)
        resumed.train(resume_from_checkpoint=str(tmp_path / "out" / "checkpoint-17"))
    assert len(model.seen) == 9
    assert losses(resumed)[17:] == cached_losses[17:]


def test_a_stream_of_the_view_trains_too(file: Path, tmp_path: Path) -> None:
    with hf_h5.H5TorchView(file) as view:
        stream = view.to_iterable_dataset(num_shards=2)
        trainer, model = make_trainer(stream, tmp_path, max_steps=14, dataloader_num_workers=2)
        trainer.train()
    assert sorted(row for batch in model.seen for row in batch) == list(range(N_ROWS))
