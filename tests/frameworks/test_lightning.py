"""Lightning over a view: by a DataLoader, and by the view's own loader, whose state goes into the checkpoint."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader

import hf_h5

from .rows import N_ROWS, Classifier, write_rows

lightning = pytest.importorskip("lightning", reason="lightning is not installed: make frameworks")


@pytest.fixture
def view(tmp_path: Path) -> Iterator[hf_h5.H5TorchView]:
    with hf_h5.H5TorchView(write_rows(tmp_path / "rows.h5")) as opened:
        yield opened


class Training(lightning.LightningModule):
    """The classifier, and what Lightning wants to know of it; stops by an error after ``stop_after`` batches."""

    def __init__(self, stop_after: int | None = None) -> None:
        super().__init__()
        self.classifier = Classifier()
        self.losses: list[float] = []
        self._stop_after = stop_after

    def training_step(self, batch: dict[str, Any], number: int) -> Any:
        if len(self.losses) == self._stop_after:
            raise InterruptedError("as if the machine went down")
        loss = self.classifier(**batch)["loss"]
        self.losses.append(float(loss.detach()))
        return loss

    def validation_step(self, batch: dict[str, Any], number: int) -> None:
        self.log("loss", self.classifier(**batch)["loss"], batch_size=len(batch["row"]))

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.05)

    @property
    def seen(self) -> list[list[int]]:
        return self.classifier.seen


def fit(model: Training, train: Any, folder: Path, validate: Any = None, resume: Path | None = None) -> Any:
    saving = lightning.pytorch.callbacks.ModelCheckpoint(folder, every_n_train_steps=1, save_top_k=-1)
    trainer = lightning.Trainer(
        max_epochs=2,
        accelerator="cpu",
        devices=1,
        logger=False,
        callbacks=[saving],
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=folder,
    )
    trainer.fit(model, train, validate, ckpt_path=resume)
    return trainer


@pytest.mark.parametrize("workers", [0, 2])
def test_a_data_loader_over_the_view_trains(view: Any, tmp_path: Path, workers: int) -> None:
    model = Training()
    train = DataLoader(view, batch_size=16, shuffle=True, num_workers=workers, collate_fn=hf_h5.collate)
    trainer = fit(model, train, tmp_path, DataLoader(view, batch_size=50))
    assert sorted(row for batch in model.seen[:13] for row in batch) == list(range(N_ROWS))
    assert trainer.callback_metrics["loss"] < model.losses[0]


def test_the_loader_trains_and_goes_on_from_a_checkpoint_in_mid_epoch(view: Any, tmp_path: Path) -> None:
    def loader() -> Any:
        return view.loader(16, shuffle=True, seed=3)

    whole = Training()
    fit(whole, loader(), tmp_path / "whole", loader())
    epochs = [sorted(row for batch in part for row in batch) for part in (whole.seen[:13], whole.seen[13:])]
    assert epochs == [list(range(N_ROWS))] * 2
    with pytest.raises(InterruptedError):
        fit(Training(stop_after=17), loader(), tmp_path / "cut")
    resumed = Training()
    fit(resumed, loader(), tmp_path / "cut", resume=tmp_path / "cut" / "epoch=1-step=17.ckpt")
    assert resumed.seen == whole.seen[17:]
    assert resumed.losses == whole.losses[17:]
