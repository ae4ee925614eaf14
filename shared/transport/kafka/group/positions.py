"""Where a partition is read from. Pure.

The library would jump silently where a position is missing or out of range; here every jump has a reason that is logged.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from shared.transport.port import Position


class Why(Enum):
    COMMITTED = auto()
    #: Nothing was ever committed, or it was forgotten (offsets.retention.minutes).
    NONE_COMMITTED = auto()
    #: Records were removed before they were delivered: a gap, from the wanted offset up to the start.
    RETENTION = auto()
    #: The wanted position lies behind the end: the topic was made anew, or the cluster lost records.
    BEYOND_END = auto()


@dataclass(frozen=True, slots=True)
class Start:
    position: Position
    why: Why
    #: The offset to read first: the position's, or behind what was removed.
    offset: int


def start(wanted: Position | None, *, begin: int, end: int) -> Start:
    """`begin`: the oldest offset still there. `end`: the offset that the next record gets."""
    if wanted is None:
        return Start(Position(begin), Why.NONE_COMMITTED, begin)
    if wanted.offset < begin:
        # Its metadata still says what is done of what is left, and means nothing beside another offset.
        return Start(wanted, Why.RETENTION, begin)
    if wanted.offset > end:
        return Start(Position(begin), Why.BEYOND_END, begin)
    return Start(wanted, Why.COMMITTED, wanted.offset)
