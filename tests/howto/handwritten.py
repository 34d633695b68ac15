"""Three Dataset classes as people write them over h5py: what the how-to page replaces, in their words and habits."""

from __future__ import annotations

import h5py
import torch
from torch.utils.data import Dataset


class ImagesAndLabels(Dataset):
    def __init__(self, file):
        self.file = h5py.File(file, "r")
        self.images = self.file["images"]
        self.labels = self.file["labels"]

    def __len__(self):
        return len(self.images)

    def __getitem__(self, idx):
        return torch.tensor(self.images[idx]), torch.tensor(self.labels[idx])

    def __del__(self):
        self.file.close()


class ManyFields(Dataset):
    def __init__(self, file, keys):
        self.file = h5py.File(file, "r")
        self.keys = keys

    def __len__(self):
        return len(self.file[self.keys[0]])

    def __getitem__(self, idx):
        return {key: torch.as_tensor(self.file[key][idx]) for key in self.keys}

    def __del__(self):
        self.file.close()


class RandomFlip(Dataset):
    def __init__(self, file):
        self.file = h5py.File(file, "r")
        self.images = self.file["images"]
        self.labels = self.file["labels"]

    def __len__(self):
        return len(self.images)

    def __getitem__(self, idx):
        image = torch.tensor(self.images[idx])
        if torch.rand(()) < 0.5:
            image = image.flip(-1)
        return image, torch.tensor(self.labels[idx])

    def __del__(self):
        self.file.close()
