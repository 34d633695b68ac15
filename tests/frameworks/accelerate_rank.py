"""One rank of a job under accelerate: goes through an epoch in several ways, and prints which rows it got.

python -m tests.frameworks.accelerate_rank FILE
"""

from __future__ import annotations

import json
import sys
from typing import Any

from torch.utils.data import DataLoader

import hf_h5


def rows_of(batches: Any) -> list[list[int]]:
    return [batch["row"].tolist() for batch in batches]


def main(file: str) -> None:
    from accelerate import Accelerator  # here, as pytest imports this module to look for doctests

    accelerator = Accelerator(cpu=True)
    with hf_h5.H5TorchView(file) as view:
        shuffled = DataLoader(view, batch_size=8, shuffle=True, collate_fn=hf_h5.collate)
        stream = DataLoader(view.to_iterable_dataset(num_shards=2), batch_size=8)
        ways = {
            "DataLoader": rows_of(accelerator.prepare(shuffled)),
            "stream": rows_of(accelerator.prepare(stream)),
            # Its ranks are those of the job: there is nothing to prepare.
            "loader": rows_of(view.loader(8, shuffle=True)),
        }
    print(json.dumps([accelerator.num_processes, ways]))  # noqa: T201  # the parent reads it


if __name__ == "__main__":
    main(sys.argv[1])
