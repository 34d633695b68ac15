"""ModelNet40 as point clouds: ``ply_data_train*.h5`` and ``ply_data_test*.h5``."""

import hf_h5

NAMES = """airplane bathtub bed bench bookshelf bottle bowl car chair cone cup curtain desk door dresser flower_pot
glass_box guitar keyboard lamp laptop mantel monitor night_stand person piano plant radio range_hood sink sofa stairs
stool table tent toilet tv_stand vase wardrobe xbox""".split()


class ModelNet40(hf_h5.H5Builder):
    """Shapes of 40 kinds as 2048 points (``data``), with normals where the files have them, and their ``label``.

    ``data_files={"train": "ply_data_train*.h5", "test": "ply_data_test*.h5"}``
    """

    OPTIONS = {"class_labels": {"label": NAMES}}
