"""The words of a dataset card, as Markdown.

Pure; no I/O. Names and attributes come from files of strangers: none of them can end a cell, or begin a tag.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from ..describe.schema import Column
from ..describe.wording import bytes_text, count_text, shortened
from ..errors import shown
from .card_facts import CardFacts, Config, Source

__all__ = ["card_body", "plain_text", "title_of"]

_UNITS = ("units", "unit", "Units", "Unit", "UNITS", "UNIT")
_DESCRIPTIONS = ("description", "long_name", "Description", "DESCRIPTION", "TITLE", "title", "comment", "standard_name")
_FILE_TITLES = ("title", "Title", "TITLE", "name", "Name")
_FILE_DESCRIPTIONS = ("description", "Description", "summary", "abstract", "comment")
_MAX_ATTRS = 40
_MAX_SOURCES = 1000
_CELL = 120


def title_of(facts: CardFacts) -> str:
    """The file's own title, or the repository's name."""
    return shown(_first_text(facts.attrs, _FILE_TITLES) or facts.repo_id.split("/")[-1])


def card_body(facts: CardFacts) -> str:
    """The sections below the title."""
    described = _first_text(facts.attrs, _FILE_DESCRIPTIONS)
    sections = [
        plain_text(described) if described else "",
        "## Use",
        _usage(facts),
        "## Columns",
        *(_columns(config, alone=len(facts.configs) == 1) for config in facts.configs),
        *_attributes(facts.attrs),
        "## Source files",
        _sources(facts.sources),
        "## How it was made",
        f"With hf-h5 {facts.version}:\n\n```sh\n{facts.command}\n```",
    ]
    return "\n\n".join(section for section in sections if section)


def _usage(facts: CardFacts) -> str:
    config = next(iter(facts.configs))
    first = next(iter(config.splits), "train")
    names = [each.name for each in facts.configs if each.name != "default"]
    arguments = f'"{facts.repo_id}"'
    others = [f'other = load_dataset({arguments}, "{names[0]}")  # {", ".join(names)}'] if names else []
    if not facts.is_hdf5:
        file = _string(facts.sources[0].name) if facts.sources else '"FILE.h5"'
        lines = [
            "from datasets import load_dataset",
            "",
            f'ds = load_dataset({arguments}, split="{first}")',
            *others,
            "",
            "# Batches of tensors, straight from the downloaded rows:",
            "import hf_h5  # pip install hf-h5",
            "",
            "view = hf_h5.H5TorchView.from_dataset(ds)",
            "",
            "# The same rows from the HDF5 files, read in place:",
            f"view = hf_h5.H5TorchView({file}{_split(config)}{_arguments(config.told_options)})",
        ]
        return _code(lines)
    files = ", ".join(f'"hf://datasets/{facts.repo_id}/{shown(file)}"' for file in config.data_files["train"])
    files = f"[{files}]" if len(config.data_files["train"]) > 1 else files
    lines = [
        "import hf_h5  # pip install hf-h5",
        "from datasets import load_dataset",
        "",
        "# Cached: converted to Arrow once, then a normal Dataset.",
        f"hf_h5.register(extensions={_extensions(config)!r})",
        f'ds = load_dataset({arguments}, split="{first}")',
        *others,
        "",
        "# Direct: rows are read from the Hub when they are asked for; nothing is downloaded first.",
        f"view = hf_h5.H5TorchView({files}{_split(config)}{_arguments(config.told_options)})",
    ]
    return _code(lines)


def _extensions(config: Config) -> list[str]:
    return sorted({PurePosixPath(file).suffix.lower() for file in config.data_files["train"]} - {""})


def _split(config: Config) -> str:
    return f', split="{next(iter(config.splits))}"' if len(config.splits) > 1 else ""


def _arguments(options: Mapping[str, Any]) -> str:
    # What was asked for of the features is what the rows have.
    texts = {name: "ds.features" if name == "features" else repr(value) for name, value in options.items()}
    return "".join(f", {name}={text}" for name, text in texts.items())


def _string(text: str) -> str:
    return repr(shown(text)).replace("`", "'")


def _code(lines: Iterable[str]) -> str:
    return "\n".join(["```python", *lines, "```"])


def _columns(config: Config, *, alone: bool) -> str:
    rows = [
        (f"`{_cell(name)}`", _feature(column), _cell(_unit(column)), _cell(_description(column)))
        for name, column in config.columns.items()
    ]
    counts = ", ".join(f"{name}: {count_text(split.n_rows, 'row')}" for name, split in config.splits.items())
    heading = "" if alone else f"### {_cell(config.name)}\n\n"
    return f"{heading}{counts}\n\n{_table(('column', 'feature', 'unit', 'description'), rows)}"


def _feature(column: Column) -> str:
    return f"`{_cell(_cut(column.feature_text))}`"


def _cut(text: str, limit: int = _CELL) -> str:
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def _unit(column: Column) -> str:
    return _first_text(column.attrs, _UNITS) or ""


def _description(column: Column) -> str:
    return _first_text(column.attrs, _DESCRIPTIONS) or ""


def _attributes(attrs: Mapping[str, Any]) -> list[str]:
    if not attrs:
        return []
    rows = [(f"`{_cell(name)}`", _cell(shortened(value, _CELL))) for name, value in list(attrs.items())[:_MAX_ATTRS]]
    more = f"\n\nand {len(attrs) - _MAX_ATTRS} more" if len(attrs) > _MAX_ATTRS else ""
    return ["## Attributes and single values", _table(("name", "value"), rows) + more]


def _sources(sources: Sequence[Source]) -> str:
    rows = [
        (f"`{_cell(each.name)}`", "" if each.n_bytes is None else bytes_text(each.n_bytes), f"`{each.sha256 or ''}`")
        for each in sources[:_MAX_SOURCES]
    ]
    more = f"\n\nand {len(sources) - _MAX_SOURCES:,} more" if len(sources) > _MAX_SOURCES else ""
    return _table(("file", "size", "SHA-256"), rows) + more


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _first_text(attrs: Mapping[str, Any], names: Iterable[str]) -> str | None:
    found = [attrs[name] for name in names if isinstance(attrs.get(name), str) and attrs[name].strip()]
    return found[0].strip() if found else None


def _cell(text: str) -> str:
    """Text that stays in its cell of a table.

    >>> _cell("a|b\\nc <!-- d -->")
    'a&#124;b c &lt;!-- d --&gt;'
    """
    return plain_text(text).replace("|", "&#124;").replace("`", "'").replace("\n", " ")


def plain_text(text: str) -> str:
    """Text that begins no tag and no comment."""
    return shown(text).replace("<", "&lt;").replace(">", "&gt;")
