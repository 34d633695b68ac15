"""Single cells in AnnData's `.h5ad`: counts, layers and embeddings, and what is known of each cell."""

import hf_h5


class AnnData(hf_h5.H5Builder):
    """Cells, one row each: ``X`` as a dense row, the columns of ``obs``, layers, embeddings.

    Fewer columns: ``columns=["X", "cell_type"]``. Rows as lists of their genes and values, which are a tenth as large
    where most counts are zero: ``dense=False``. The genes: ``table="/var"``.
    """

    OPTIONS = {"table": "/obs", "dense": True}
