"""Batches of a view: read ahead by threads, shuffled by chunks, shared out to ranks, resumable at any row."""

from .layout import LoaderReport
from .loader import Loader
from .sampler import BatchSampler, RowSampler

__all__ = ["BatchSampler", "Loader", "LoaderReport", "RowSampler"]
