"""What makes a file slow or unsafe, what that costs here, and which mode to take: what ``hf-h5 doctor`` does."""

from .facts import Diagnosis
from .run import diagnose

__all__ = ["Diagnosis", "diagnose"]
