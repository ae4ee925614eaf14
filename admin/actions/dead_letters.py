"""What an operator does with dead letters."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime

from admin.actions.looking.log_ids import SHORTEST, may_mean, resolve
from shared.documents import dead_letter as documents
from shared.errors import ConfigurationError
from shared.event_rules import HEADER, without_member
from shared.text import visible
from shared.transport.port import DeadLetter, Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which dead letters; everything that is given must match."""

    #: Whole, or their unique beginnings.
    log_ids: Collection[str] = ()
    types: Collection[str] = ()
    since: datetime | None = None
    until: datetime | None = None
    #: A part of the reason, in any case.
    reason: str = ""

    @property
    def everything(self) -> bool:
        return not (self.log_ids or self.types or self.since or self.until or self.reason)

    def takes(self, dead_letter: DeadLetter) -> bool:
        return (
            (not self.log_ids or any(may_mean(given, dead_letter.log_id) for given in self.log_ids))
            and (not self.types or type_of(dead_letter) in self.types)
            and (self.since is None or dead_letter.time >= self.since.timestamp())
            and (self.until is None or dead_letter.time < self.until.timestamp())
            and self.reason.lower() in dead_letter.reason.lower()
        )


def type_of(dead_letter: DeadLetter) -> str:
    """The event's type code; empty for a record that is not ours."""
    return dict(dead_letter.record.headers).get("type", b"").decode("ascii", "backslashreplace")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What a choice takes, the oldest first."""

    dead_letters: Sequence[DeadLetter]
    #: How many dead letters it does not take.
    others: int
    #: The types of all dead letters.
    types: Set[str]


async def chosen(transport: Transport, choice: Choice) -> Chosen:
    """One that cannot be read is left out and logged.

    Raises `TransportUnusable`, and `ConfigurationError` for an id that is no dead letter or begins several.
    """
    table, others = await transport.dead_letters(), 0
    found: list[DeadLetter] = []
    types: set[str] = set()
    try:
        async for dead_letter in documents.scan(table):
            types.add(type_of(dead_letter))
            if choice.takes(dead_letter):
                found.append(dead_letter)
            else:
                others += 1
    finally:
        await table.close()
    taken = found if not choice.log_ids else _named(choice.log_ids, found)
    in_order = sorted(taken, key=lambda dead_letter: (dead_letter.time, dead_letter.log_id))
    return Chosen(dead_letters=in_order, others=others + len(found) - len(taken), types=types)


def _named(log_ids: Collection[str], found: Sequence[DeadLetter]) -> list[DeadLetter]:
    by_id = {dead_letter.log_id: dead_letter for dead_letter in found}
    meant = {given: resolve(given, by_id) for given in log_ids}
    unknown = [given for given, log_id in meant.items() if log_id is None]
    if unknown:
        raise ConfigurationError([f"{visible(given)} is no dead letter{_hint(given)}" for given in unknown])
    return [by_id[log_id] for log_id in {log_id for log_id in meant.values() if log_id is not None}]


def _hint(given: str) -> str:
    too_short = f", and the beginning of an id has at least {SHORTEST} characters" if len(given) < SHORTEST else ""
    return f"{too_short}; see `auth0-webhooks dead-letters list`"


def user_of(dead_letter: DeadLetter) -> str:
    """The event's user id; empty for an event of no user, whose key is its log id."""
    key = (dead_letter.record.key or b"").decode("utf-8", "backslashreplace")
    return "" if key == dead_letter.log_id else key


def outcome_of(dead_letter: DeadLetter) -> str:
    """What its last attempt gave, in a word or two."""
    if dead_letter.status is not None:
        return str(dead_letter.status)
    return "no response" if dead_letter.attempts else "not tried"


def rules_of(dead_letter: DeadLetter) -> bytes | None:
    """What its rules said, which a retry sends again; None: a retry runs them, where a consumer has rules that look at it."""
    return dict(dead_letter.record.headers).get(HEADER)


async def retry(
    transport: Transport, which: Sequence[DeadLetter], *, rate: float, rules: bool = False
) -> AsyncIterator[DeadLetter]:
    """Append each to the log again, at most `rate` a second; yields each that was. Consumers deliver it like any other event.

    `rules`: they run on it again. Else what they said is sent again, and a letter that a rule's failure made runs them.

    Raises `PublishFailed`: those that were yielded are done, the others are not.
    """
    for number, dead_letter in enumerate(which):
        if number:
            await asyncio.sleep(1 / rate)
        again = replace(dead_letter, record=without_member(dead_letter.record)) if rules else dead_letter
        if await transport.retry_dead_letter(again):
            yield dead_letter


async def purge(transport: Transport, which: Sequence[DeadLetter]) -> AsyncIterator[DeadLetter]:
    """Remove each for good; yields each that was. Raises `TransportUnusable`, and `PublishFailed` as `retry` does."""
    table = await transport.dead_letters()
    try:
        for dead_letter in which:
            await table.delete(dead_letter.log_id)
            yield dead_letter
    finally:
        await table.close()
