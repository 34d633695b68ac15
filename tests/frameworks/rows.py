"""What every framework trains on: digits that know their row, and a classifier of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.written import write_h5

N_ROWS = 203
N_CLASSES = 4


def write_rows(file: Path) -> Path:
    """Write images in chunks of eight rows, labels, and the number of each row."""
    random = np.random.default_rng(0)
    labels = np.arange(N_ROWS) % N_CLASSES
    images = (random.random((N_ROWS, 4, 5)) + labels[:, None, None]).astype(np.float32)
    columns = {"images": images, "labels": labels, "row": np.arange(N_ROWS)}
    return write_h5(file, columns, chunks=True, compression="gzip")


class Classifier(torch.nn.Module):
    """Scores of the classes; with labels the loss too, as transformers wants it. Notes which rows it saw."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.layer = torch.nn.Linear(20, N_CLASSES)
        self.seen: list[list[int]] = []

    def forward(self, images: Any, labels: Any = None, row: Any = None) -> dict[str, Any]:
        scores = self.layer(images.flatten(1))
        if self.training and row is not None:
            self.seen.append(row.tolist())
        if labels is None:
            return {"logits": scores}
        return {"loss": torch.nn.functional.cross_entropy(scores, labels), "logits": scores}
