"""The metadata of a commit: which offsets above the position are still open. Pure.

The offsets between the position and `until` are done but for those listed, so a restart does not call the webhook again for what
is done, however much that is: the list is bounded by the window, and by what a log keeps. Form, ASCII:

    1;2,1*3,ea5c;9b1c04d7
    version; distances in hexadecimal from one open offset to the next, from the position on (`d*n`: n times d), the last one
    to `until`; CRC-32 of the position and all of the text before

The ledger takes no more than fits, whichever of it are done by then. What does not fit all the same, because an older release or
a log with another limit took it, is cut off at the high end: `until` falls back to the first open offset that is left out, so
more is delivered again, never less.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from itertools import accumulate, groupby
from operator import sub
from typing import Final, NamedTuple

_VERSION: Final = "1"
MARGIN: Final = len(_VERSION) + 2 + 8  # version, two semicolons, checksum
#: No run or distance of ours is longer; a damaged one that passes the checksum must not use up the memory.
_MOST: Final = 1 << 40
_MOST_OPEN: Final = 1_000_000


class OpenOffsets(NamedTuple):
    """What was done and what was open at a commit."""

    #: Ascending; the position is the first of them.
    open: Sequence[int]
    #: Everything below that is not open is done.
    until: int


def distances(bounds: Sequence[int]) -> Iterator[int]:
    return map(sub, bounds[1:], bounds)


def cost(distance: int) -> int:
    """The most characters that a distance takes, with the separator; in a run it takes fewer."""
    return (distance.bit_length() + 3) // 4 + 1


def encode(offsets: OpenOffsets, limit: int | None = None) -> str:
    """Returns the text for a commit at the position `offsets.open[0]`; empty where nothing is done beyond the position.

    `limit`: the most characters; None: any number.
    """
    if not offsets.open or offsets.until - offsets.open[0] <= len(offsets.open):
        return ""
    position = offsets.open[0]
    body = _fit([_token(distance, len(list(run))) for distance, run in groupby(distances([*offsets.open, offsets.until]))], limit)
    text = f"{_VERSION};{body}"
    return f"{text};{_checksum(position, text)}" if body else ""


def decode(position: int, text: str) -> OpenOffsets | None:
    """Returns what `encode` wrote for this position; None for anything else: another program's text, a damaged or a newer one."""
    head, _, checksum = text.rpartition(";")
    version, _, body = head.partition(";")
    if version != _VERSION or not body or checksum != _checksum(position, head):
        return None
    bounds = [position]
    try:
        for distance in _read(body):
            bounds.append(bounds[-1] + distance)
    except ValueError:
        return None
    return OpenOffsets(bounds[:-1], bounds[-1])


def _read(body: str) -> Iterator[int]:
    total = 0
    for token in body.split(","):
        distance, _, times = token.partition("*")
        count = int(times, 16) if times else 1
        total += count
        if not 0 < int(distance, 16) < _MOST or total > _MOST_OPEN:
            raise ValueError(token)
        yield from [int(distance, 16)] * count


def _token(distance: int, times: int) -> str:
    return f"{distance:x}" if times == 1 else f"{distance:x}*{times:x}"


def _fit(tokens: Sequence[str], limit: int | None) -> str:
    """Returns as many tokens from the start as fit. The last one then ends at an open offset: `until` of the cut text."""
    kept = len(tokens)
    if limit is not None:
        sizes = accumulate((len(token) + 1 for token in tokens), initial=MARGIN)
        kept = sum(size <= limit for size in sizes) - 1
    return ",".join(tokens[: max(0, kept)])


def _checksum(position: int, text: str) -> str:
    return f"{zlib.crc32(f'{position};{text}'.encode()):08x}"
