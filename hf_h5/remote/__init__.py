"""Files behind URLs: their bytes by ranges, what is kept of them, and the index file that may lie beside them."""
