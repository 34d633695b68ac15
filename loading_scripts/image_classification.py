"""Images, labels and the names of the classes in one file."""

import hf_h5


class ImageClassification(hf_h5.H5Builder):
    """Pictures in ``images`` and their classes in ``labels``, named by ``class_names``.

    For other names: ``columns=["x", "y"], class_labels={"y": "/list_classes"}``. Splits in the file are found:
    ``train/images`` and ``test/images`` as well as ``train_images`` and ``test_images``.
    """

    OPTIONS = {"columns": ["images", "labels"], "class_labels": {"labels": "/class_names"}}
