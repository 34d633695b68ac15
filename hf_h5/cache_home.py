"""Where the package keeps what it need not find out twice."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["cache_home"]


def cache_home() -> Path:
    """Return the folder ``hf_h5`` in the home of Hugging Face (``HF_HOME``); it need not be there yet."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("HF_HOME") or os.path.join(cache, "huggingface")
    return Path(home).expanduser() / "hf_h5"
