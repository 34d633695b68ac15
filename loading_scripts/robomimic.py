"""Demonstrations of robomimic, robosuite and what follows their layout."""

import hf_h5


class Robomimic(hf_h5.H5Builder):
    """Demonstrations under ``/data``, one row each; the masks ``train`` and ``valid`` are the splits.

    One row per time step instead: ``layout="steps"``. Other masks: ``splits={"train": "/mask/20_percent"}``; a file
    without masks: ``splits=False``. Fewer columns: ``columns=["obs/*", "actions"]``.
    """

    OPTIONS = {
        "table": "/data",
        "layout": "episodes",
        "splits": {"train": "/mask/train", "validation": "/mask/valid"},
    }
