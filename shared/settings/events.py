"""The options of which events leave the producer, and of what they hold then."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Final, get_args

from shared.log_types import LEVELS, suggest, table
from shared.logging import Verbosity
from shared.parsers import (
    InvalidValue,
    choice,
    line,
    parser,
)
from shared.settings.option import Conflict, Group, Option, Role
from shared.suggestions import nearest
from shared.words import PiiField, PiiMode

#: The fewest characters of a `PII_HASH_KEY`.
LEAST_HASH_KEY: Final = 16
_LEVELS: Final = ", ".join(f"{number} {name}" for number, name in enumerate(LEVELS))


@parser(f"one of {_LEVELS}")
def _level(text: str) -> int:
    """The number of a level. A name is refused: most likely it was meant for our own log."""
    if text.strip() not in map(str, range(len(LEVELS))):
        raise InvalidValue(f"must be the number of a level of Auth0 events: {_LEVELS}", _both_ways_on(text.strip().lower()))
    return int(text.strip())


def _both_ways_on(name: str) -> str:
    """What the name of a level may have been meant for; empty if it is none (`warn` and the like are)."""
    level = next((number for number, own in enumerate(LEVELS) if len(name) >= 3 and own.startswith(name)), None)
    if level is None:
        return ""
    ours = f"; for this program's own log set VERBOSITY={LEVELS[level]}" if LEVELS[level] in get_args(Verbosity) else ""
    return f"for events of this level and above set LOG_LEVEL={level}{ours}"


@parser("codes of log event types, separated by commas")
def _types(text: str) -> frozenset[str]:
    codes = [code for code in map(str.strip, text.split(",")) if code]
    if unknown := [_unknown(code) for code in codes if code not in table()]:
        raise InvalidValue(", ".join(unknown), "`auth0-webhooks types` lists all types")
    return frozenset(codes)


def _unknown(code: str) -> str:
    meant = suggest(code)
    return f"{code[:60]!r} is no log event type" + (f" (did you mean {meant}?)" if meant else "")


@parser(f"names of fields, separated by commas: {', '.join(PiiField)}")
def _pii_fields(text: str) -> frozenset[PiiField]:
    names = [name for name in map(str.strip, text.lower().split(",")) if name]
    for name in names:
        if name not in set(PiiField):
            meant = nearest(name, [*PiiField])
            hint = f"did you mean {meant}?" if meant else f"the fields are {', '.join(PiiField)}"
            raise InvalidValue(f"{name[:60]!r} is no field of personal data", hint)
    if not names:
        raise InvalidValue("must name a field at least", f"the fields are {', '.join(PiiField)}; PII_MODE=keep hides none")
    return frozenset(map(PiiField, names))


@parser(f"text of {LEAST_HASH_KEY} characters or more")
def _hash_key(text: str) -> str:
    """With a short key, a list of addresses and a hash are enough to find out whose it is."""
    line.read(text)
    if len(text) < LEAST_HASH_KEY:
        raise InvalidValue(f"is shorter than {LEAST_HASH_KEY} characters", "`openssl rand -base64 32` makes a good one")
    return text


class FilterSettings(Group):
    """Which events are delivered. An event must pass both; `auth0-webhooks types` lists types and levels."""

    title: ClassVar = "Filter"
    roles: ClassVar = frozenset({Role.RUN, Role.PRODUCE, Role.EXPLAIN})

    level: Annotated[int, Option("LOG_LEVEL", _level)] = 0
    """The lowest level of events to deliver."""
    types: Annotated[
        frozenset[str], Option("LOG_TYPES", _types, example="s,f,limit_wc", unset="all but sapi, fapi and mgmt_api_read")
    ] = frozenset()
    """The types of events to deliver."""


class PrivacySettings(Group):
    """What personal data leaves the producer. [Privacy](privacy.md) says what the receiver of an event then gets."""

    title: ClassVar = "Privacy"
    roles: ClassVar = frozenset({Role.RUN, Role.PRODUCE})

    mode: Annotated[PiiMode, Option("PII_MODE", choice(*PiiMode))] = PiiMode.KEEP
    """What becomes of personal data: it is kept, masked (`j***@e***.com`), or replaced by a hash that is always the same."""
    fields: Annotated[frozenset[PiiField], Option("PII_FIELDS", _pii_fields, example="email,phone,ip")] = frozenset(PiiField) - {
        PiiField.IP,
        PiiField.USER_ID,
    }
    """What counts as personal data, in the words of Auth0's Log Streams; `ip` and `user_id` can be added."""
    hash_key: Annotated[
        str | None, Option("PII_HASH_KEY", _hash_key, secret=True, example="q7Jt0c9sVwXhB2nR5uKf8yLd", unset="none")
    ] = None
    """The key of the hashes (HMAC-SHA-256). `mask` needs it too: user ids are never masked, or users would look alike."""

    def conflicts(self) -> Iterator[Conflict]:
        if self.mode is not PiiMode.KEEP and self.hash_key is None:
            what = "the first needs the second: user ids become hashes in both modes"
            yield Conflict(("PII_MODE", "PII_HASH_KEY"), what, "set PII_HASH_KEY to a long random text, and never change it")
