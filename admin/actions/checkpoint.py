"""Where an operator wants the poller to go on, and what lies between that and where it is now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from producer.cursor import Cursor
from producer.start import SearchableLog, resolve
from shared.errors import CheckpointUnknown
from shared.start_from import StartFrom
from shared.transport.port import OLDEST, Checkpoint

#: The most pages that are read to count; each costs a request of the tenant's rate limit.
_MOST_PAGES: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    #: None: nothing was ever fetched.
    before: Checkpoint | None
    after: Checkpoint
    #: Entries of Auth0's log between the two; None where Auth0 does not know the earlier one any more.
    entries: int | None
    #: There are more of them than were counted.
    more: bool = False

    @property
    def is_forward(self) -> bool:
        """Entries are passed over: they will never be delivered."""
        return self.before is None or self.before.log_id < self.after.log_id


async def plan(position: StartFrom, before: Checkpoint | None, source: SearchableLog) -> Move:
    """Returns what a move to `position` means. Raises `StartUnknown`, and what `source` raises."""
    after = await resolve(position, source)
    places = sorted((before or OLDEST, after), key=lambda place: place.log_id)
    entries, more = await _count(source, *places)
    return Move(before=before, after=after, entries=entries, more=more)


async def _count(source: SearchableLog, low: Checkpoint, high: Checkpoint) -> tuple[int | None, bool]:
    cursor, count = Cursor(low), 0
    for _ in range(_MOST_PAGES):
        try:
            page = await cursor.read(source)
        except CheckpointUnknown:
            return None, False
        within = [event for event in page.events if low.log_id < event.log_id <= high.log_id]
        count += len(within)
        if len(within) < len(page.events) or not page.events or page.events[-1].log_id == high.log_id:
            return count, False
        cursor, _direction = cursor.past(page)
    return count, True
