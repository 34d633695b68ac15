"""PatchCamelyon: pictures in one file, labels in another."""

import hf_h5


class PatchCamelyon(hf_h5.H5Builder):
    """Patches ``x`` (96 x 96 x 3) of lymph nodes and whether their middle holds tumor tissue, ``y``.

    Name both files of each split:
    ``data_files={"train": ["..._train_x.h5", "..._train_y.h5"], "validation": [...], "test": [...]}``.
    """

    OPTIONS = {"join": "columns", "columns": ["x", "y"], "class_labels": {"y": ["normal", "tumor"]}}
