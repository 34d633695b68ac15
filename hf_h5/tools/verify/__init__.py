"""Whether h5py, the direct mode and a converted dataset hold the same values: what ``hf-h5 verify`` does."""

from .report import ColumnReport, Report, SplitReport
from .run import verify

__all__ = ["ColumnReport", "Report", "SplitReport", "verify"]
