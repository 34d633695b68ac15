"""Loading scripts of the user -> options: what a recipe for one family of files says."""

from __future__ import annotations

import inspect
import os
import runpy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .describe.options import make_options
from .describe.urls import is_url
from .errors import MissingFileError, OptionError
from .hf_h5 import H5Builder, recipe_options

__all__ = ["Recipe", "load_recipe"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a loading script says.

    Attributes
    ----------
    name
        The name of its file without the ending.
    description
        The docstring of its class: what these files are, for the dataset's card.
    options
        The options that it chooses, with the meaning that they have everywhere in the package.
    """

    name: str
    description: str
    options: Mapping[str, Any]


def load_recipe(script: str | os.PathLike[str]) -> Recipe:
    """Run a loading script and take what its subclass of ``H5Builder`` says.

    Parameters
    ----------
    script
        A local file. It is run as any Python file, so name only those that you trust; one from the network is refused.

    Raises
    ------
    MissingFileError
        If there is no such file.
    OptionError
        If it is no Python file, comes from the network, or does not hold one subclass of ``H5Builder`` that consists of
        options.
    """
    file = os.fspath(script)
    if is_url(file):
        raise OptionError("a loading script from the network is not run", file=file, hint="download and read it first")
    if not os.path.isfile(file):
        raise MissingFileError("there is no such loading script", file=file, hint="name a local .py file")
    if not file.endswith(".py"):
        raise OptionError("a loading script is a .py file", file=file, hint="data files go to data_files=")
    recipe = _only_recipe(file)
    options = recipe_options(recipe)
    description = options.pop("description", "")
    try:
        make_options(**options)
    except OptionError as error:
        raise OptionError(f"OPTIONS of {recipe.__name__}: {error.problem}", file=file, hint=error.hint) from error
    return Recipe(Path(file).stem, description, options)


def _only_recipe(file: str) -> type[H5Builder]:
    name = f"hf_h5_recipe_{Path(file).stem}"
    values = runpy.run_path(file, run_name=name).values()
    found = [value for value in values if isinstance(value, type) and value.__module__ == name]
    recipes = [each for each in found if issubclass(each, H5Builder)]
    if len(recipes) != 1:
        listed = ", ".join(each.__name__ for each in recipes) or "none"
        raise OptionError(
            f"a loading script holds one subclass of hf_h5.H5Builder, and there is {listed}",
            file=file,
            hint="see loading_scripts/README.md",
        )
    own = [name for name, value in vars(recipes[0]).items() if inspect.isroutine(value) or isinstance(value, property)]
    if own:
        # The view has no such methods: rows would differ between the modes.
        raise OptionError(f"{recipes[0].__name__} has methods ({own[0]}); only its OPTIONS count", file=file)
    return recipes[0]
