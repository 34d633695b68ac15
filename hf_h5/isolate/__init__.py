"""The HDF5 library in a process of its own, so that a crash, a hang or a blow-up in it is an error and no more."""
