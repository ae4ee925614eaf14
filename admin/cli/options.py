"""How an option or an argument is declared: its name, what may stand there, and a sentence.

    port: Annotated[int, option("--port", PORT, "Port to listen on; 0 takes a free one.")] = 8080

Values are read by our own parsers, not by typer's types: so a wrong one is explained as that of a setting is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import typer

from admin.cli.completion import dead_letter_ids
from admin.cli.usage import quoted
from shared.parsers import InvalidValue, Parser, choice, fraction, parser, per_second, seconds, whole
from shared.start_from import StartFrom

#: Completes the beginning of a word: each word with what it means.
Complete = Callable[[str], Iterable[tuple[str, str]]]


@dataclass(frozen=True, slots=True)
class Value:
    """What may stand in one place of the command line."""

    #: What help calls it.
    metavar: str
    parser: Parser
    complete: Complete | None = None


def option(name: str, value: Value, text: str, **settings: Any) -> Any:
    """An option that takes a value. One that takes none is a `typer.Option` of type `bool`."""
    return typer.Option(name, metavar=value.metavar, help=text, parser=_reading(value), **_completed(value), **settings)


def argument(value: Value, text: str, **settings: Any) -> Any:
    return typer.Argument(metavar=value.metavar, help=text, parser=_reading(value), **_completed(value), **settings)


def number(metavar: str, least: int, most: int) -> Value:
    return Value(metavar, whole(least, most))


def duration(*, zero: bool = False, least: float = 0, most: float = 86400) -> Value:
    return Value("SECONDS", seconds(zero=zero, least=least, most=most))


def rate(what: str, least: float = 0) -> Value:
    return Value("RATE", per_second(what, least, 1_000_000))


def words(metavar: str) -> Value:
    """Any text."""
    return Value(metavar, Parser("text", str))


def some(metavar: str) -> Value:
    """Any text but an empty one, such as that of a variable that the shell does not know."""
    return Value(metavar, Parser("text", _some_text))


def one_of(kind: type[StrEnum]) -> Value:
    """One of the values of an enumeration, all of which help shows."""
    names = choice(*kind)

    def complete(incomplete: str) -> Iterator[tuple[str, str]]:
        return _beginning_with(dict.fromkeys(kind, ""), incomplete)

    return Value("|".join(kind), Parser(names.says, lambda text: kind(str(names.read(text)))), complete)


def _some_text(text: str) -> str:
    if not text.strip():
        raise InvalidValue("must not be empty")
    return text


def _reading(value: Value) -> Callable[[Any], Any]:
    def read(given: Any) -> Any:
        """Raises `typer.BadParameter`. A default value comes here too, and need not be text."""
        if not isinstance(given, str):
            return given
        try:
            return value.parser.read(given)
        except InvalidValue as error:
            raise typer.BadParameter(f"{quoted(given)}: {error}") from None

    return read


def _completed(value: Value) -> dict[str, Any]:
    return {"autocompletion": value.complete} if value.complete else {}


def _beginning_with(known: Mapping[str, str], incomplete: str) -> Iterator[tuple[str, str]]:
    return ((name, meaning) for name, meaning in known.items() if name.startswith(incomplete))


_AGE: Final = re.compile(r"([0-9]{1,6})([smhd])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@parser("time")
def _moment(text: str) -> datetime:
    """UTC where the text names no zone."""
    text = text.strip()
    if age := _AGE.fullmatch(text):
        return datetime.now(UTC) - timedelta(**{_UNITS[age[2]]: int(age[1])})
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        examples = "2026-07-31, 2026-07-31T18:30 (UTC) or 2026-07-31T18:30+02:00, or an age such as 90m, 2h or 3d"
        raise InvalidValue(f"must be a date or a time such as {examples}") from None


@parser("code of a log event type")
def _code(text: str) -> str:
    from shared.log_types import suggest, table

    code = text.strip()
    if code in table():
        return code
    meant = suggest(code)
    raise InvalidValue(
        "is no log event type", f"did you mean {meant}?" if code and meant else "`auth0-webhooks types` lists them"
    )


def _codes(incomplete: str) -> Iterator[tuple[str, str]]:
    from shared.log_types import table

    return _beginning_with({code: row.name for code, row in table().items()}, incomplete)


def _levels(incomplete: str) -> Iterator[tuple[str, str]]:
    from shared.log_types import LEVELS

    return _beginning_with({str(level): name for level, name in enumerate(LEVELS)}, incomplete)


@parser("file")
def _file(text: str) -> Path:
    return Path(text)


@parser("level")
def _level(text: str) -> int:
    """The number of a level, or its name."""
    from shared.log_types import LEVELS

    known = {name: number for number, name in enumerate(LEVELS)} | {str(number): number for number in range(len(LEVELS))}
    level = known.get(text.strip().lower())
    if level is None:
        raise InvalidValue(f"must be a level from 0 to {len(LEVELS) - 1}, or its name: {', '.join(LEVELS)}")
    return level


@parser("place in Auth0's log")
def _position(text: str) -> StartFrom:
    try:
        start = StartFrom.parse(text, datetime.now(UTC))
    except ValueError as error:
        raise InvalidValue(str(error)) from None
    if start.is_beginning:
        raise InvalidValue("has a command of its own", "`auth0-webhooks checkpoint reset`")
    return start


COUNT: Final = number("COUNT", 1, 1_000_000)
SHARE: Final = Value("SHARE", fraction(0, 1))
PORT: Final = number("PORT", 0, 65535)
FILE: Final = Value("FILE", _file)
LOG_ID: Final = some("LOG_ID")
DEAD_LETTER: Final = Value("LOG_ID", LOG_ID.parser, dead_letter_ids)
POSITION: Final = Value("POSITION", _position)
TIME: Final = Value("TIME", _moment)
TYPE: Final = Value("TYPE", _code, _codes)
LEVEL: Final = Value("LEVEL", _level, _levels)
