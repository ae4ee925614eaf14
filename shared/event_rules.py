"""What the consumer knows of rules: which events they look at, and what came of one. The package `rules` implements it."""

from __future__ import annotations

import json
from collections.abc import Set
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from shared.errors import RecordInvalid
from shared.record import FEWEST_HEADERS, Record
from shared.words import OnError

#: A record's header with the member `rules` of an event that was set aside after its chain had run: a retry of it runs no rule.
HEADER: Final = "rules"

#: The largest member `rules`, in bytes. A chain whose result is larger counts as failed.
LARGEST: Final = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesFailure:
    """A chain that failed, timed out or crashed, where the operator does not want its event delivered."""

    #: `HOLD` or `DEAD_LETTER`.
    on_error: OnError
    #: In a few words, without secrets: which rule, and why.
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesResult:
    """What came of the chain of one event."""

    #: The value of the member `rules` of the body: compact JSON, at most `LARGEST` bytes. All of it ASCII, since it may become a
    #: header: the embedded log keeps no other bytes of one.
    member: bytes
    #: None: the event is delivered, whatever its rules did.
    failure: RulesFailure | None = None


class EventRules(Protocol):
    """Rules, as the consumer calls them. Everything happens in one event loop."""

    @property
    def switched_off(self) -> Set[str]:
        """The names of rules that run no more, since they crashed or hung on several events."""

    @property
    def fingerprint(self) -> str:
        """A short hash, the same where the same rules run."""

    @property
    def since(self) -> datetime | None:
        """Events that are older run no rule."""

    async def start(self) -> None:
        """Waits until the rules are loaded. Raises `ConfigurationError`, and `EnvironmentUnusable` where none can run."""

    def looks_at(self, record: Record) -> bool:
        """Whether a rule may have to run on it. Cheap: it reads headers only."""

    async def run(self, record: Record, log_id: str) -> RulesResult | None:
        """Returns what came of its chain; None: no rule looked at it. Raises nothing. Cancel it to throw the result away."""

    def under_way(self, log_id: str) -> str | None:
        """The rule that runs on that event at the moment; None: none does."""

    async def close(self) -> None:
        """Ends every rule process. Idempotent."""


def member_of(record: Record) -> bytes | None:
    """Returns the member that stands in the header. Raises `RecordInvalid` for what is no JSON object."""
    if len(record.headers) <= FEWEST_HEADERS:
        return None  # nearly all of them: looking at each header would take as long as all else that is done for its sake
    return next((_verified(value) for name, value in record.headers if name == HEADER), None)


def with_member(record: Record, member: bytes) -> Record:
    """Returns the record with this member in its header."""
    return record._replace(headers=[*without_member(record).headers, (HEADER, member)])


def without_member(record: Record) -> Record:
    """Returns the record without that header: rules run on it again."""
    return record._replace(headers=[header for header in record.headers if header[0] != HEADER])


def _verified(member: bytes) -> bytes:
    try:
        if isinstance(json.loads(member), dict):
            return member
    except (ValueError, RecursionError):
        pass
    raise RecordInvalid(f"its header `{HEADER}` is no JSON object: another program wrote it")


def with_rules(entry: bytes, member: bytes) -> bytes:
    """Returns the entry with one more member `rules`, set in before its last brace; every other byte stays.

    Raises `ValueError` for what does not end in a brace.
    """
    end = entry.rindex(b"}")
    comma = b"" if entry[:end].rstrip(b" \t\r\n").endswith(b"{") else b","
    return b"".join((entry[:end], comma, b'"rules":', member, entry[end:]))
