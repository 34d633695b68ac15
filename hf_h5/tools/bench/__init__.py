"""How fast a file's rows reach training, by each way there is, measured on the file itself: ``hf-h5 bench``."""

from .measure import bench
from .results import Bench, Speed

__all__ = ["Bench", "Speed", "bench"]
