"""Moments, ages and counts as people read them. Pure."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def since(moment: float, now: float | None = None) -> str:
    """Returns the time in UTC, with its date where that is not today. Both in seconds since the epoch."""
    at = datetime.fromtimestamp(moment, UTC)
    today = datetime.fromtimestamp(time.time() if now is None else now, UTC).date()
    return f"{at:%H:%M} UTC" if at.date() == today else f"{at:%Y-%m-%d %H:%M} UTC"


def age(seconds: float) -> str:
    """Returns it in the largest unit that it fills: "3 s", "5 min", "2 h", "4 d"."""
    seconds = max(0.0, seconds)
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"


def counted(number: int, noun: str) -> str:
    """Returns "1 consumer", "2 consumers", "4,120 events"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
