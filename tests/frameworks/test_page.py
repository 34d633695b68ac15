"""The how-to page of the frameworks runs, in order, as a reader would run it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import hf_h5
from hf_h5.tools.digits import write_digits
from tests.howto.pages import python_blocks

FRAMEWORKS = ("transformers", "accelerate", "lightning", "torchdata")


class Model(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(64, 10)

    def forward(self, images: Any, labels: Any) -> dict[str, Any]:
        scores = self.layer(images.flatten(1).float())
        return {"loss": torch.nn.functional.cross_entropy(scores, labels), "logits": scores}


def test_the_page_of_the_frameworks_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in FRAMEWORKS:
        pytest.importorskip(name, reason=f"{name} is not installed: make frameworks")
    import lightning

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = Model()

        def training_step(self, batch: Any, number: int) -> Any:
            return self.model(**batch)["loss"]

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), lr=1e-3)

    monkeypatch.chdir(tmp_path)
    write_digits("digits.h5")
    model = Model()
    names: dict[str, Any] = {"hf_h5": hf_h5, "model": model, "module": Module()}
    names["optimizer"] = torch.optim.SGD(model.parameters(), lr=1e-3)
    for block in python_blocks("docs/how-to/frameworks.md"):
        exec(compile(block, "frameworks.md", "exec"), names)  # the page's own code, from this repository
    n_batches = len(names["view"].loader(64))
    assert len(names["rest"]) == n_batches - 1
    names["view"].close()
