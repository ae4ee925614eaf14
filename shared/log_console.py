"""A line of our log for a person to read: time, level, outcome, what happened, event type, and then the other fields.

Rows end before column 100, or where a narrower terminal ends, and continue below, indented; only a longer word makes a longer
row: it stays whole, so that it can be copied. The content of a field cannot move the cursor.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from shared.terminal import columns_of
from shared.text import visible

_WIDEST: Final = 100
_INDENT: Final = " " * 16  # below what happened
_COLORS: Final = {"warn": "33", "error": "31"}
#: These come first, in this order and without their names.
_FIRST: Final = ("outcome", "event", "type")
#: Not among the other fields: what comes first or last, and the name of our module.
_HIDDEN: Final = frozenset({*_FIRST, "timestamp", "level", "logger_name", "exception", "stack", "log_id"})
#: Not shown beside a log id.
_POSITION: Final = frozenset({"partition", "offset"})


class ConsoleRenderer:
    """The last of structlog's processors. `descriptor`: where the lines go, which may be a terminal whose width changes."""

    def __init__(self, *, colors: bool, descriptor: int) -> None:
        self._colors = colors
        self._descriptor = descriptor

    def __call__(self, _logger: object, _method: str, line: Mapping[str, Any]) -> str:
        level = {"warning": "warn", "critical": "error"}.get(line.get("level", ""), line.get("level", ""))
        time = str(line.get("timestamp", ""))[11:19]
        columns = min(columns_of(self._descriptor) or _WIDEST, _WIDEST)
        text = "\n".join(_rows(f"{time}Z {level:<5}", _words(line), columns))
        if self._colors and level in _COLORS:
            text = text.replace(level, f"\x1b[{_COLORS[level]}m{level}\x1b[0m", 1)
        traces = (visible(str(line[name]), keep="\n\t") for name in ("exception", "stack") if line.get(name))
        return "\n".join((text, *traces))


def _rows(row: str, words: Iterable[str], columns: int) -> Iterator[str]:
    """Begins with `row`. A word that fits into a row stays whole; a longer one is split at its blanks."""
    for word in words:
        for part in (word,) if len(_INDENT) + len(word) <= columns else word.split():
            if len(row) + 1 + len(part) > columns and row != _INDENT[1:]:
                yield row
                row = _INDENT[1:]
            row = f"{row} {part}"
    yield row


def _words(line: Mapping[str, Any]) -> Iterator[str]:
    for name in _FIRST:
        if name in line:
            yield visible(str(line[name]))
    hidden = _HIDDEN | _POSITION if "log_id" in line else _HIDDEN
    for name, value in line.items():
        if name not in hidden and value is not None:
            yield f"{visible(name)}={_value(value)}"
    if "log_id" in line:
        yield f"log_id={visible(str(line['log_id']))}"


def _value(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return visible(json.dumps(text, ensure_ascii=False) if isinstance(value, str) and (" " in text or not text) else text)
