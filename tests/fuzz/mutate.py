"""Broken copies of a file, each a function of a number. Pure; no I/O."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

__all__ = ["mutant"]

Bytes = bytearray
_SIGNATURES = re.compile(rb"OHDR|OCHK|TREE|SNOD|HEAP|GCOL|FRHP|FHDB|FHIB|BTHD|BTLF|BTIN|FAHD|FADB|EAHD|EAIB|EADB|FSHD")
# Header messages follow each other in the old format without a signature: type, size, flags.
_OLD_HEADER = re.compile(rb"\x01\x00[\x01-\x20]\x00\x01\x00\x00\x00", re.DOTALL)
_NEAR = 160
_INTERESTING = (0, 1, 0x7F, 0x80, 0xFF)
_NUMBERS = (0, 1, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF, 1 << 40)


def mutant(seeds: dict[str, bytes], seed: int, number: int) -> tuple[str, bytes]:
    """Break one of the files in one to four places.

    Returns
    -------
    name, content
        The file that it comes from, with the ways in which it was broken; and its bytes.
    """
    rng = random.Random(f"{seed}:{number}")
    # Files without checksums get further: three of four.
    latest = rng.random() < 0.25
    names = sorted(name for name in seeds if name.endswith("latest") == latest)
    name = rng.choice(names)
    content = Bytes(seeds[name])
    ways = [rng.choice(_WAYS) for _ in range(rng.choice((1, 1, 1, 2, 4)))]
    for way in ways:
        way(content, rng)
    return f"{name}:{'+'.join(way.__name__.strip('_') for way in ways)}", bytes(content)


def _place(content: Bytes, rng: random.Random) -> int:
    """A byte near the file's own structures, mostly; the superblock's are spared, as it would not be opened."""
    starts = [found.start() for found in _SIGNATURES.finditer(content)]
    starts += [found.start() for found in _OLD_HEADER.finditer(content)]
    if starts and rng.random() < 0.85:
        place = rng.choice(starts) + rng.randrange(_NEAR)
    else:
        place = rng.randrange(len(content))
    return min(max(place, 96), len(content) - 1)


def _bit(content: Bytes, rng: random.Random) -> None:
    content[_place(content, rng)] ^= 1 << rng.randrange(8)


def _byte(content: Bytes, rng: random.Random) -> None:
    content[_place(content, rng)] = rng.choice(_INTERESTING)


def _word(content: Bytes, rng: random.Random) -> None:
    size, place = rng.choice((2, 4, 8)), _place(content, rng) & ~1
    value = (rng.choice(_NUMBERS) & (1 << 8 * size) - 1).to_bytes(size, "little")
    content[place : place + size] = value[: len(content) - place]


def _nudge(content: Bytes, rng: random.Random) -> None:
    place = _place(content, rng)
    content[place] = (content[place] + rng.choice((-8, -1, 1, 8))) & 0xFF


def _swap(content: Bytes, rng: random.Random) -> None:
    """Copy a piece of the file over another: pointers that lead to the wrong structure."""
    size = rng.choice((4, 8, 16, 64))
    source, target = _place(content, rng), _place(content, rng)
    piece = content[source : source + size]
    content[target : target + len(piece)] = piece[: len(content) - target]


def _cut(content: Bytes, rng: random.Random) -> None:
    del content[rng.randrange(len(content) // 2, len(content)) :]


def _noise(content: Bytes, rng: random.Random) -> None:
    place = _place(content, rng)
    size = min(rng.choice((4, 32)), len(content) - place)
    content[place : place + size] = rng.randbytes(size)


_Way = Callable[[Bytes, random.Random], None]
_WAYS: tuple[_Way, ...] = (_bit, _bit, _byte, _word, _word, _nudge, _swap, _cut, _noise)
