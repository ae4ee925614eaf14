"""What an operator does with dead letters."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.transport.port import DeadLetter, DeadLetters


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which letters; everything that is given must match."""

    log_ids: Collection[str] = ()
    types: Collection[str] = ()
    since: datetime | None = None
    until: datetime | None = None
    #: A part of the reason, in any case.
    reason: str = ""

    @property
    def everything(self) -> bool:
        return not (self.log_ids or self.types or self.since or self.until or self.reason)

    def takes(self, letter: DeadLetter) -> bool:
        return (
            (not self.log_ids or letter.log_id in self.log_ids)
            and (not self.types or type_of(letter) in self.types)
            and (self.since is None or letter.time >= self.since.timestamp())
            and (self.until is None or letter.time < self.until.timestamp())
            and self.reason.lower() in letter.reason.lower()
        )


def type_of(letter: DeadLetter) -> str:
    """The event's type code; empty for a record that is not ours."""
    return dict(letter.record.headers).get("type", b"").decode("ascii", "backslashreplace")


async def chosen(letters: DeadLetters, choice: Choice) -> Sequence[DeadLetter]:
    """Raises `TransportUnusable`."""
    return [letter for letter in await letters.all() if choice.takes(letter)]


async def retry(letters: DeadLetters, which: Sequence[DeadLetter], *, rate: float) -> AsyncIterator[DeadLetter]:
    """Append each to the log again, at most `rate` a second; gives each that was. Consumers deliver it like any other.

    Raises `PublishFailed`: those that were given are done, the others are not.
    """
    for number, letter in enumerate(which):
        if number:
            await asyncio.sleep(1 / rate)
        if await letters.retry(letter):
            yield letter


async def purge(letters: DeadLetters, which: Sequence[DeadLetter]) -> AsyncIterator[DeadLetter]:
    """Remove each for good; gives each that was. Raises `PublishFailed` as `retry` does."""
    for letter in which:
        await letters.remove(letter.log_id)
        yield letter
