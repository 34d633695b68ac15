"""A page of HTML that stands alone: no scripts, nothing from a server, and everything from a file escaped.

Pure; no I/O.
"""

from __future__ import annotations

import base64
import html
import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import shown

__all__ = ["bars", "escaped", "grid", "make_page", "pairs", "picture", "section"]

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #888; --bar: #d9622b }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem; overflow-wrap: anywhere } h2 { font-size: 1.15rem; margin-top: 2.2rem; overflow-wrap: anywhere }
h3 { font-size: 1rem; margin: 1.4rem 0 .3rem; overflow-wrap: anywhere }
p.facts, figcaption, td.soft { color: var(--soft) }
.wide { overflow-x: auto }
table { border-collapse: collapse } th, td { text-align: left; padding: .2rem .8rem .2rem 0; vertical-align: top }
th { font-weight: 600; border-bottom: 1px solid var(--line) } td { border-bottom: 1px solid var(--line) }
td { overflow-wrap: break-word } td:last-child { overflow-wrap: anywhere }
code, td:first-child { font-family: ui-monospace, monospace; font-size: .92em }
ul.tree { list-style: none; padding-left: 1.2rem; border-left: 1px solid var(--line); margin: 0 }
ul.tree li > span { color: var(--soft) }
figure { margin: .4rem 0; display: inline-block } figcaption { font-size: .8rem }
.thumbs { display: flex; flex-wrap: wrap; gap: .4rem }
.thumbs img { width: 96px; height: 96px; object-fit: contain; image-rendering: pixelated; background: #8882 }
svg rect { fill: var(--bar) } svg text { fill: currentColor; font-size: 11px; font-family: system-ui, sans-serif }
""".strip()

_BAR_WIDTH, _BAR_HEIGHT, _MAX_WORDS = 320, 80, 300


def escaped(value: Any, limit: int = _MAX_WORDS) -> str:
    """A text of at most so many characters that is only a text to a browser, whatever was in the file."""
    text = shown(str(value))
    return html.escape(text if len(text) <= limit else text[: limit - 1] + "…", quote=True)


def make_page(title: str, sections: Iterable[str], *, facts: str = "") -> str:
    """Put sections into a page.

    Parameters
    ----------
    title, facts
        Texts, which are escaped here.
    sections
        HTML, made by the functions of this module.
    """
    # The policy is a second wall: even what escaped escaping could load nothing and run nothing.
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    body = "\n".join(sections)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{escaped(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>{escaped(title)}</h1>
<p class="facts">{escaped(facts)}</p>
{body}
</body>
</html>
"""


def section(title: str, *parts: str, level: int = 2) -> str:
    """A heading and what belongs to it."""
    return f"<section><h{level}>{escaped(title)}</h{level}>\n" + "\n".join(filter(None, parts)) + "</section>"


def grid(headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table; its first column holds names. All cells are escaped."""
    head = "".join(f"<th>{escaped(each)}</th>" for each in headings)
    body = "\n".join("<tr>" + "".join(f"<td>{escaped(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>'


def pairs(values: Mapping[str, Any]) -> str:
    """Names and values, of attributes for one; nothing where there are none."""
    return grid(("name", "value"), values.items()) if values else ""


def picture(pixels: NDArray[Any], caption: str) -> str:
    """An image with its caption; ``(H, W)`` or ``(H, W, 3 or 4)``, floats in ``[0, 1]``."""
    raw = np.clip(np.nan_to_num(pixels) * 255 + 0.5, 0, 255).astype(np.uint8)
    data = base64.b64encode(_png(raw)).decode()
    alt = escaped(caption, 80)
    return f'<figure><img alt="{alt}" src="data:image/png;base64,{data}"><figcaption>{alt}</figcaption></figure>'


def _png(pixels: NDArray[np.uint8]) -> bytes:
    """Encode 8-bit pixels (https://www.w3.org/TR/png-3/#11Chunks): a header, the lines unfiltered, an end."""
    height, width = pixels.shape[:2]
    colour = {2: 0, 3: {3: 2, 4: 6}.get(pixels.shape[-1], 0)}[pixels.ndim]
    lines = np.zeros((height, 1 + pixels[0].size), np.uint8)
    lines[:, 1:] = pixels.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 6)), (b"IEND", b""))
    framed = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


def bars(counts: Sequence[int], names: Sequence[str], *, caption: str) -> str:
    """A bar for each count. The first and the last name stand below, all of them show when pointed at."""
    step, most = _BAR_WIDTH / max(1, len(counts)), max(1, *counts, 1)
    drawn = []
    for number, (count, name) in enumerate(zip(counts, names, strict=True)):
        height = _BAR_HEIGHT * count / most
        drawn.append(
            f'<rect x="{number * step:.1f}" y="{_BAR_HEIGHT - height:.1f}" width="{max(0.5, step - 1):.1f}" '
            f'height="{height:.1f}"><title>{escaped(name, 60)}: {count:,}</title></rect>'
        )
    ends = (
        f'<text x="0" y="{_BAR_HEIGHT + 14}">{escaped(names[0], 24)}</text>'
        f'<text x="{_BAR_WIDTH}" y="{_BAR_HEIGHT + 14}" text-anchor="end">{escaped(names[-1], 24)}</text>'
    )
    return (
        f'<figure><svg role="img" aria-label="{escaped(caption)}" width="{_BAR_WIDTH}" height="{_BAR_HEIGHT + 20}">'
        f"{''.join(drawn)}{ends}</svg><figcaption>{escaped(caption)}</figcaption></figure>"
    )
