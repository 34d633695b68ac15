"""Draw the README's picture, ``docs/images/ratios.svg``, from ``docs/explanation/figures.json``: make picture.

The figures are filled in by hand from runs of the commands that stand beside them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

DOCS = Path(__file__).resolve().parents[2] / "docs"
FIGURES = DOCS / "explanation" / "figures.json"
PICTURE = DOCS / "images" / "ratios.svg"

_WIDTH, _ROW, _TOP, _FOOT = 860, 22, 56, 34
_AXIS, _END = 520, 800
_LOWEST, _HIGHEST = 0.5, 300

_STYLE = """\
<style>
  text { font: 12px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328 }
  .title { font-size: 15px; font-weight: 600 }
  .group { font-weight: 600 }
  .soft { fill: #59636e }
  .grid { stroke: #d1d9e0 }
  .one { stroke: #59636e }
  .faster { fill: #1f77b4 }
  .slower { fill: #d9822b }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .soft { fill: #9198a1 }
    .grid { stroke: #3d444d }
    .one { stroke: #9198a1 }
    .faster { fill: #4a9fe0 }
  }
</style>"""


def read_figures(file: Path = FIGURES) -> list[dict[str, Any]]:
    """Return the figures in the order of the picture."""
    return json.loads(file.read_text(encoding="utf-8"))["figures"]


def draw(figures: list[dict[str, Any]]) -> str:
    """Return the picture as SVG: a bar for each ratio on a logarithmic axis, those below 1 to its left."""
    groups = [(name, list(members)) for name, members in groupby(figures, key=lambda figure: figure["group"])]
    height = _TOP + _ROW * (len(figures) + len(groups)) + _FOOT
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" role="img">',
        "<title>How many times as fast hf_h5 is as other ways over the same rows</title>",
        _STYLE,
        '<text class="title" x="8" y="22">How many times as fast as other ways</text>',
        '<text class="soft" x="8" y="41">hf_h5 on 2 cores, warm page cache, the same values side by side</text>',
        *_axis(height - _FOOT),
    ]
    y = _TOP
    for name, members in groups:
        y += _ROW
        lines.append(f'<text class="group" x="8" y="{y - 6}">{escape(name)}</text>')
        for figure in members:
            y += _ROW
            lines += _bar(figure, y - _ROW)
    return "\n".join([*lines, "</svg>", ""])


def _axis(bottom: int) -> Iterator[str]:
    for value in (1, 10, 100):
        x = _place(value)
        yield f'<line class="{"one" if value == 1 else "grid"}" x1="{x}" y1="{_TOP}" x2="{x}" y2="{bottom}"/>'
        label = "as fast" if value == 1 else f"{value} times"
        yield f'<text class="soft" text-anchor="middle" x="{x}" y="{bottom + 18}">{label}</text>'


def _bar(figure: dict[str, Any], top: int) -> Iterator[str]:
    ratio = figure["ratio"]
    start, stop = sorted((_place(1), _place(ratio)))
    kind, base = "faster" if ratio >= 1 else "slower", top + _ROW - 7
    yield f'<text x="20" y="{base}">{escape(figure["work"])}</text>'
    yield f'<text class="soft" x="262" y="{base}">{escape(figure["against"])}</text>'
    yield f'<rect class="{kind}" x="{start}" y="{top + 4}" width="{max(stop - start, 1)}" height="{_ROW - 8}" rx="2"/>'
    yield f'<text x="{max(stop, _place(1)) + 6}" y="{base}">{ratio:g} ×</text>'


def _place(ratio: float) -> int:
    """Where a ratio lies on the axis, in pixels from the left; what is beyond an end lies at the end."""
    share = math.log(min(max(ratio, _LOWEST), _HIGHEST) / _LOWEST) / math.log(_HIGHEST / _LOWEST)
    return round(_AXIS + share * (_END - _AXIS))


if __name__ == "__main__":
    PICTURE.write_text(draw(read_figures()), encoding="utf-8")
