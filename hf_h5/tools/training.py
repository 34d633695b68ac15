"""A small classifier trained on rows of either mode, so that losses can be compared."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

__all__ = ["Task", "Trained", "find_task", "start_torch", "train_classifier"]

_LABEL_NAMES = frozenset({"label", "labels", "y", "target", "targets"})
_WORDS = re.compile(r"[/_.\- ]")
_MAX_CLASSES = 1000
_MIN_STEPS = 60
_MAX_INPUTS = 1 << 20
_NUMBERS = re.compile(r"(u?int|float)\d+|bool")


@dataclass(frozen=True)
class Task:
    """What is learned from what: the columns, and how many numbers a row of the input has."""

    inputs: str
    labels: str
    n_inputs: int


@dataclass(frozen=True)
class Trained:
    """The loss of every step, and the share of held-out rows that were classified right."""

    losses: tuple[float, ...]
    accuracy: float


def find_task(features: Any) -> Task | str:
    """The obvious thing to learn from a dataset's features; a sentence that says why there is none."""
    labels = [name for name, feature in features.items() if _is_label(name, feature)]
    if not labels:
        return "no column is obviously a label (a ClassLabel, or integers called label, labels, y or target)"
    if len(labels) > 1:
        return f"several columns could be the label: {', '.join(map(repr, labels))}"
    sizes = {name: _count_numbers(feature) for name, feature in features.items() if name not in labels}
    inputs = {name: size for name, size in sizes.items() if 0 < size <= _MAX_INPUTS}
    if not inputs:
        return f"beside the label {labels[0]!r} no column holds numbers of one shape"
    chosen = max(inputs, key=lambda name: inputs[name])
    return Task(chosen, labels[0], inputs[chosen])


def _is_label(name: str, feature: Any) -> bool:
    if type(feature).__name__ == "ClassLabel":
        return True
    is_named = _WORDS.split(name.lower())[-1] in _LABEL_NAMES
    dtype = str(getattr(feature, "dtype", None) or getattr(getattr(feature, "feature", None), "dtype", ""))
    return is_named and _count_numbers(feature) == 1 and "int" in dtype


def _count_numbers(feature: Any) -> int:
    """Numbers in a row; 0 where there are none, or not always as many."""
    kind = type(feature).__name__
    if kind == "Value":
        return int(bool(_NUMBERS.fullmatch(str(feature.dtype))))
    if kind.startswith("Array") and kind.endswith("D"):
        return 0 if None in feature.shape else math.prod(feature.shape)
    if kind in ("List", "Sequence") and getattr(feature, "length", -1) > 0:
        return int(feature.length) * _count_numbers(feature.feature)
    return 0


def start_torch() -> None:
    """Take a step with an optimizer: the first one in a process takes seconds, which no mode should be charged for.

    One thread from here on: layers of 64 gain nothing from more, and where other programs run, threads that wait for
    each other made a second of training a minute and a half.
    """
    import torch

    torch.set_num_threads(1)
    weight = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.Adam([weight])
    weight.sum().backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    optimizer.step()


def train_classifier(rows: Any, task: Task, *, collate: Any = None, seed: int = 0) -> Trained | str:
    """Train on four fifths of the rows and test on the last fifth.

    Parameters
    ----------
    rows
        A ``datasets.Dataset`` in the torch format, or an ``H5TorchView``.
    collate
        ``collate_fn`` of the DataLoader.

    Returns
    -------
    Trained or str
        Losses that are the same for the same values and seed; a sentence where the labels are no classes.
    """
    import torch

    n_train = len(rows) - len(rows) // 5
    labels = rows.select_columns([task.labels])[:][task.labels].reshape(-1)
    low, n_classes = int(labels.min()), int(labels.max()) + 1
    if low < 0 or not 2 <= n_classes <= _MAX_CLASSES:
        return f"{task.labels!r} holds {low} to {n_classes - 1}, which are no class numbers"
    if len(labels.unique()) > len(labels) / 2:
        return f"{task.labels!r} holds almost as many numbers as there are rows, which are no classes"
    sample = _inputs(rows[: min(n_train, 1024)], task)
    mean, std = sample.mean(dim=0), sample.std(dim=0) + 1e-3
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = torch.nn.Sequential(torch.nn.Linear(task.n_inputs, 64), torch.nn.ReLU(), torch.nn.Linear(64, n_classes))
        optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
        loader = torch.utils.data.DataLoader(
            rows.select(range(n_train)),
            batch_size=64,
            shuffle=True,
            collate_fn=collate,
            generator=torch.Generator().manual_seed(seed),
        )
        losses = []
        for _ in range(max(8, -(-_MIN_STEPS // len(loader)))):
            for batch in loader:
                scores = model((_inputs(batch, task) - mean) / std)
                loss = torch.nn.functional.cross_entropy(scores, batch[task.labels].reshape(-1).long())
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
                optimizer.step()
                losses.append(float(loss.detach()))
        held_out = rows[n_train:]
        with torch.no_grad():
            guesses = model((_inputs(held_out, task) - mean) / std).argmax(dim=1)
    return Trained(tuple(losses), float((guesses == labels[n_train:]).float().mean()))


def _inputs(batch: Any, task: Task) -> Any:
    values = batch[task.inputs]
    return values.reshape(len(values), -1).float().nan_to_num()
