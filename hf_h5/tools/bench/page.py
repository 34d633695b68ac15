"""The measurements as one HTML page that stands alone: no script, no picture, no other file.

Pure; no I/O.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape

from ...describe.wording import bytes_text
from ...errors import shown
from .results import EXPLAINED, WAYS, WORKS, Bench, Speed, rate_text

__all__ = ["to_page"]

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; color: #222;
  background: #fff }
h1 { font-size: 1.4rem } h2 { font-size: 1.05rem; margin: 1.6rem 0 .4rem }
.bar { display: grid; grid-template-columns: 13rem 1fr 7rem; gap: .6rem; align-items: center; margin: .15rem 0 }
.bar i { display: block; height: 1.1rem; border-radius: 2px } .bar b { font-weight: 600; text-align: right }
.class { background: #8c8c8c } .h5py { background: #b58900 } .cached { background: #268bd2 }
.view { background: #6c71c4 } .direct { background: #2aa198 } .limit { background: #d5d5d5 }
table { border-collapse: collapse } td, th { padding: .2rem .8rem .2rem 0; text-align: left; vertical-align: top }
td.n { text-align: right } .quiet { color: #666 }
@media (prefers-color-scheme: dark) { body { background: #1b1b1b; color: #ddd } .quiet { color: #999 }
  .limit { background: #555 } }
"""


def to_page(found: Bench) -> str:
    """Return the page."""
    title = f"How fast rows of {escape(shown(found.file))} come"
    parts = [
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>',
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>',
        f"<h1>{title}</h1>",
        _facts(found),
        *(_bars(WORKS[work], found.speeds[work]) for work in WORKS if work in found.speeds),
        '<p class="quiet">Bars are drawn by powers of ten: twice the length is not twice the speed.</p>',
        "<h2>What was measured</h2><table>",
        *(f"<tr><th>{WAYS[way]}</th><td>{escape(text)}</td></tr>" for way, text in EXPLAINED.items()),
        "</table></body></html>\n",
    ]
    return "\n".join(parts)


def _facts(found: Bench) -> str:
    facts = {
        "split": found.split,
        "rows": f"{found.n_rows:,} of {bytes_text(found.row_bytes)}, of which the first {found.n_measured:,} were read",
        "columns": ", ".join(found.columns),
        "left out": "; ".join(f"{name} ({why})" for name, why in found.left_out.items()),
        "threads": f"{found.threads}",
        "converting for the cached mode": f"{rate_text(found.converting_rows_per_s)} rows/s; all rows would take "
        f"{found.n_rows / found.converting_rows_per_s:,.1f} s and {bytes_text(found.n_rows * found.cached_row_bytes)}",
    }
    rows = "".join(f"<tr><th>{name}</th><td>{escape(shown(text))}</td></tr>" for name, text in facts.items() if text)
    return f"<table>{rows}</table>"


def _bars(title: str, ways: Mapping[str, Speed]) -> str:
    rates = {way: speed.rows_per_s for way in WAYS if (speed := ways.get(way)) is not None and speed.rows_per_s}
    if not rates:
        return ""
    low, high = math.log10(min(rates.values())) - 0.5, math.log10(max(rates.values()))
    lines = [
        f'<div class="bar"><span>{WAYS[way]}</span>'
        f'<i class="{way}" style="width:{100 * (math.log10(rate) - low) / (high - low):.1f}%"></i>'
        f"<b>{rate_text(rate)}</b></div>"
        for way, rate in rates.items()
    ]
    missing = [f"no {WAYS[way]}: {speed.why}" for way, speed in ways.items() if speed.rows_per_s is None and speed.why]
    lines += [f'<p class="quiet">{escape(shown(text))}</p>' for text in missing]
    return f"<h2>{title}, rows/s</h2>\n" + "\n".join(lines)
