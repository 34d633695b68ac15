"""All cases of the zoo, by name."""

from __future__ import annotations

from tests.conformance import (
    zoo_compounds,
    zoo_corners,
    zoo_episodes,
    zoo_files,
    zoo_filters,
    zoo_labels,
    zoo_layouts,
    zoo_links,
    zoo_media,
    zoo_numbers,
    zoo_ragged,
    zoo_repeated,
    zoo_shapes,
    zoo_splits,
    zoo_strings,
    zoo_tables,
)
from tests.conformance.case import Case

__all__ = ["CASES"]

_MODULES = (
    zoo_numbers,
    zoo_labels,
    zoo_strings,
    zoo_media,
    zoo_ragged,
    zoo_compounds,
    zoo_shapes,
    zoo_layouts,
    zoo_filters,
    zoo_tables,
    zoo_splits,
    zoo_episodes,
    zoo_repeated,
    zoo_files,
    zoo_links,
    zoo_corners,
)
CASES: tuple[Case, ...] = tuple(case for module in _MODULES for case in module.zoo.cases)
