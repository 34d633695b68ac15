"""Files that older versions of pandas and anndata write: ``make writers``."""
