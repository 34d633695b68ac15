"""The command line ``hf-h5``: parses; ``tools`` does the work."""

from .main import main

__all__ = ["main"]
