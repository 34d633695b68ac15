"""``hf_h5.load``: mapped, cached or direct, by what the files are like."""

from .load import load

__all__ = ["load"]
