"""What is in an HDF5 file: its types, its tables, its splits. No rows are read here."""
