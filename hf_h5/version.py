"""Which version of the package, or of another one, is installed."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

__all__ = ["installed_version"]


def installed_version(package: str = "hf-h5") -> str:
    """Return the version of a package by its metadata; a folder on the path may have none.

    >>> installed_version("no-such-package")
    'not installed'
    """
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
