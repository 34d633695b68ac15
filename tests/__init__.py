"""Tests of hf_h5; the folders mirror the package. A package, so that no installed ``tests`` can take its name."""
