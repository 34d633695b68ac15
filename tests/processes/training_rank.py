"""One rank of a training job: notes the rows of each step, saves the loader's state, and waits to be killed.

python -m tests.processes.training_rank FILE FOLDER WAIT_AT
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import torch
from torch import distributed

import hf_h5


def main(file: str, folder: Path, wait_at: int) -> None:
    distributed.init_process_group("gloo")
    rank = distributed.get_rank()
    model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(20, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-6)
    with hf_h5.H5TorchView(file) as view, (folder / f"rank{rank}.log").open("w") as log:
        loader = view.loader(8, shuffle=True, seed=2, shuffle_bytes=3000)
        loader.set_epoch(1)
        for step, batch in enumerate(loader):
            model(batch["images"].flatten(1).float()).square().mean().backward()  # all ranks take part
            optimizer.step()
            log.write(json.dumps(batch["labels"].tolist()) + "\n")
            log.flush()
            if rank == 1:  # any rank's state will do
                (folder / "new").write_text(json.dumps({"step": step, "loader": loader.state_dict()}))
                (folder / "new").replace(folder / "state.json")
            print(step, flush=True)  # noqa: T201  # the parent waits for it
            if step == wait_at:
                time.sleep(600)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
