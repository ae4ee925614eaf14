"""An event as one line for a person."""

from __future__ import annotations

from shared.errors import PageInvalid
from shared.event import slice_page
from shared.log_types import LEVELS, table
from shared.text import visible

_WIDTH = 40


def readable(body: bytes) -> str:
    """Time, level, type, its name, and who; safe to print whatever the entry holds. What is no log entry is said to be none."""
    try:
        (event,) = slice_page(b"[" + body + b"]")
    except (PageInvalid, ValueError):
        return f"(not a log entry: {len(body)} bytes)"
    known = table().get(event.type)
    level = LEVELS[known.level] if known else "?"
    time = event.date[11:19] or "--:--:--"
    name = (known.name if known else "") or "unknown type"
    return f"{visible(time)}  {level:8} {visible(event.type):18.18} {name:{_WIDTH}.{_WIDTH}} {visible(event.user_id) or '-'}"
