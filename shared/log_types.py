"""Auth0's log event types: code, name, category and the level that `LOG_LEVEL` compares with.

The table is data (`log-types.tsv` beside this file), reviewed by hand; nothing about a type is derived at run time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Final

from shared.suggestions import nearest

#: The levels' names; a level is an index into this.
LEVELS: Final = ("debug", "info", "warning", "error", "critical")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogType:
    """One row of the table. What Auth0 does not document is empty: some types have no category, a few no name."""

    #: The value of an event's `type`, such as `s` or `limit_wc`.
    code: str
    name: str
    category: str
    #: 0 (debug) to 4 (critical).
    level: int
    #: Where the level comes from: `extension` (Auth0's retired extension), `seed` (its documentation) or `review` (us).
    level_from: str
    description: str


@cache
def table() -> Mapping[str, LogType]:
    """Returns every known type by its code, in the file's order."""
    text = resources.files("shared").joinpath("log-types.tsv").read_text("utf-8")
    rows = (_row(line) for line in text.splitlines()[1:])
    return MappingProxyType({row.code: row for row in rows})


def suggest(code: str) -> str | None:
    """Returns the known code that `code` was most likely meant to be (also by a type's full name), or None."""
    wanted = code.strip().lower()
    by_name = {row.name.lower(): row.code for row in table().values()}
    if wanted in by_name:
        return by_name[wanted]
    return nearest(wanted, table())


def _row(line: str) -> LogType:
    code, name, category, level, level_from, description = line.split("\t")
    return LogType(code=code, name=name, category=category, level=int(level), level_from=level_from, description=description)
