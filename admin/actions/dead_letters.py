"""What an operator does with dead letters."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.documents import dead_letter as documents
from shared.transport.port import DeadLetter, Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which dead letters; everything that is given must match."""

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
            (not self.log_ids or dead_letter.log_id in self.log_ids)
            and (not self.types or type_of(dead_letter) in self.types)
            and (self.since is None or dead_letter.time >= self.since.timestamp())
            and (self.until is None or dead_letter.time < self.until.timestamp())
            and self.reason.lower() in dead_letter.reason.lower()
        )


def type_of(dead_letter: DeadLetter) -> str:
    """The event's type code; empty for a record that is not ours."""
    return dict(dead_letter.record.headers).get("type", b"").decode("ascii", "backslashreplace")


async def chosen(transport: Transport, choice: Choice) -> Sequence[DeadLetter]:
    """Returns them, the oldest first; one that cannot be read is left out and logged. Raises `TransportUnusable`."""
    table = await transport.dead_letters()
    try:
        found = [dead_letter async for dead_letter in documents.scan(table) if choice.takes(dead_letter)]
    finally:
        await table.close()
    return sorted(found, key=lambda dead_letter: (dead_letter.time, dead_letter.log_id))


async def retry(transport: Transport, which: Sequence[DeadLetter], *, rate: float) -> AsyncIterator[DeadLetter]:
    """Append each to the log again, at most `rate` a second; yields each that was. Consumers deliver it like any other event.

    Raises `PublishFailed`: those that were yielded are done, the others are not.
    """
    for number, dead_letter in enumerate(which):
        if number:
            await asyncio.sleep(1 / rate)
        if await transport.retry_dead_letter(dead_letter):
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
