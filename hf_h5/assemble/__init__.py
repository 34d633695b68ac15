"""Numpy rows -> batches: Arrow tables, tensors, arrays, Python objects. No file is opened here."""
