"""The view's methods take what those of ``datasets.Dataset`` take, by the same names and in the same order."""

from __future__ import annotations

import inspect

import datasets
import pytest

from hf_h5 import H5TorchView

SHARED = sorted(
    name
    for name in dir(datasets.Dataset)
    if not name.startswith("_") and inspect.isfunction(getattr(H5TorchView, name, None))
)


@pytest.mark.parametrize("name", SHARED)
def test_a_method_takes_the_arguments_of_the_dataset(name: str) -> None:
    mine = inspect.signature(getattr(H5TorchView, name)).parameters
    theirs = inspect.signature(getattr(datasets.Dataset, name)).parameters
    takes_more = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in mine.values())
    missing = [each for each in theirs if each not in mine and each not in ("kwargs", "format_kwargs")]
    assert takes_more or not missing
    positional = [each for each in theirs if each in mine and mine[each].kind is not inspect.Parameter.KEYWORD_ONLY]
    shared = [each for each in mine if each in positional]
    assert shared == positional[: len(shared)]
