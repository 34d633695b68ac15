"""The zoo: one small HDF5 file per feature of the format, with the rows that every front door must give."""
