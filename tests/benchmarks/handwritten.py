"""The class that everybody writes: one row at a time through h5py, in a DataLoader."""

from __future__ import annotations

import h5py
import torch
from torch.utils.data import Dataset


class HandWritten(Dataset):
    """Opens the file on first use, so that it works in workers too, and keeps the datasets at hand."""

    def __init__(self, file):
        self.file = file
        self.images = None
        with h5py.File(file) as opened:
            self.n_rows = len(opened["x"])

    def __len__(self):
        return self.n_rows

    def __getitem__(self, row):
        if self.images is None:
            opened = h5py.File(self.file)
            self.images, self.labels = opened["x"], opened["y"]
        return torch.from_numpy(self.images[row]), torch.tensor(self.labels[row])


class HandWrittenVectors(Dataset):
    """The same for a file of one column."""

    def __init__(self, file):
        self.file = file
        self.vectors = None
        with h5py.File(file) as opened:
            self.n_rows = len(opened["x"])

    def __len__(self):
        return self.n_rows

    def __getitem__(self, row):
        if self.vectors is None:
            self.vectors = h5py.File(self.file)["x"]
        return torch.from_numpy(self.vectors[row])
