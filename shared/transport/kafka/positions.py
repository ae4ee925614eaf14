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


def start(wanted: Position | None, *, begin: int, end: int) -> Start:
    """`begin`: the oldest offset still there. `end`: the offset that the next record gets."""
    if wanted is None:
        return Start(Position(begin), Why.NONE_COMMITTED)
    if wanted.offset < begin:
        return Start(Position(begin), Why.RETENTION)
    if wanted.offset > end:
        return Start(Position(begin), Why.BEYOND_END)
    return Start(wanted, Why.COMMITTED)
