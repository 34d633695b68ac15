"""What needs Ray or Dask, each with clusters on this machine: make distributed."""
