"""The settings of the filter."""

from __future__ import annotations

from typing import Annotated, ClassVar

from shared.log_types import LEVELS, suggest, table
from shared.settings.option import Group, Option, Role
from shared.settings.parsers import Kind, Refused


def _level() -> Kind:
    """The number of a level. A name is refused: whoever writes one most likely means our own log."""
    names = ", ".join(f"{number} {name}" for number, name in enumerate(LEVELS))

    def read(text: str) -> int:
        numbers = {str(number): number for number in range(len(LEVELS))}
        if text.strip() not in numbers:
            fix = f"for how much this program itself writes, set VERBOSITY={text.lower()}" if text.lower() in LEVELS else ""
            raise Refused(f"must be the number of a level of Auth0 events: {names}", fix)
        return numbers[text.strip()]

    return Kind(f"one of {names}", read)


def _types() -> Kind:
    def read(text: str) -> frozenset[str]:
        codes = [code for code in map(str.strip, text.split(",")) if code]
        unknown = [_unknown(code) for code in codes if code not in table()]
        if unknown:
            raise Refused(", ".join(unknown), "`auth0-webhooks types` lists all types")
        return frozenset(codes)

    return Kind("codes of log event types, separated by commas", read)


def _unknown(code: str) -> str:
    meant = suggest(code)
    return f"{code[:60]!r} is no log event type" + (f" (did you mean {meant}?)" if meant else "")


class FilterSettings(Group):
    """Which events are delivered. An event must pass both; `auth0-webhooks types` lists types and levels."""

    title: ClassVar = "Filter"
    roles: ClassVar = frozenset({Role.RUN, Role.PRODUCE})

    level: Annotated[int, Option("LOG_LEVEL", _level(), "The lowest level of events to deliver.")] = 0
    types: Annotated[
        frozenset[str],
        Option(
            "LOG_TYPES",
            _types(),
            "The types of events to deliver.",
            example="s,f,limit_wc",
            unset="all but sapi, fapi and mgmt_api_read",
        ),
    ] = frozenset()
