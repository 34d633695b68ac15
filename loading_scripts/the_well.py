"""Physics simulations: the HDF5 files of The Well."""

import hf_h5


class TheWell(hf_h5.H5Builder):
    """Trajectories, one row each: scalar (``t0``), vector (``t1``) and tensor (``t2``) fields as time x space arrays.

    ``row["t0_fields/density"][t]`` is the density at step ``t``. Coordinates, boundary conditions and constants are the
    same for every row: ``hf_h5.describe(file).metadata`` and the tables that ``hf_h5.describe(file)`` lists. A warning
    names fields that do not vary with the trajectory, such as masks: they are in these tables as well.
    """

    OPTIONS = {"columns": ["t?_fields/*"]}
