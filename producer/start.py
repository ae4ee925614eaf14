"""Where a poller begins that has no checkpoint yet: `START_FROM` as a checkpoint, with Auth0's help.

Auth0 searches by date and gives its log in the order of ids. An entry that reached the log late has a later id and an earlier
date, so the newest entry before a moment may stand behind events of that moment. A search therefore only finds an entry that
surely stands before all of them; from there the log is read to the first event of the moment or later, and what comes before it
is passed over.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

from producer.cursor import Cursor, Direction, PageSource
from shared.errors import EnvironmentUnusable, PageInvalid
from shared.event import Event, log_id_time, moment_of
from shared.start_from import StartFrom
from shared.transport.port import OLDEST, Checkpoint

#: The most entries of a page, of a search too.
PER_PAGE: Final = 100
#: The most pages of a search: Auth0 shows 1,000 of its entries.
MOST_PAGES: Final = 10
#: An id's time is cut to the second, and the clock that dates an entry may be another one.
LEEWAY: Final = timedelta(seconds=2)


class SearchableLog(PageSource, Protocol):
    """A tenant's log that can be searched; errors as those of `PageSource`."""

    async def search(self, page: int, *, newest_first: bool = False, before: datetime | None = None) -> Sequence[Event]:
        """Returns a page, counted from 0, of entries in the order of their dates; `before`: only those of an earlier date."""

    async def entry(self, log_id: str) -> Event | None:
        """Returns the entry of this id; None: the tenant does not know it, or not any more."""


class StartUnknown(EnvironmentUnusable):
    """The tenant has no entry of the log id to start from."""


async def resolve(start: StartFrom, source: SearchableLog) -> Checkpoint:
    """Returns the checkpoint to begin after; `OLDEST` to begin at the oldest entry.

    Raises `StartUnknown`, and what `source` raises.
    """
    if start.log_id:
        return await _known(start.log_id, source)
    if start.now:
        newest = await source.search(0, newest_first=True)
        return _checkpoint(max(newest, key=lambda event: event.log_id)) if newest else OLDEST
    if start.moment:
        return await _last_before(start.moment, await _surely_before(start.moment, source), source)
    return OLDEST


async def _known(log_id: str, source: SearchableLog) -> Checkpoint:
    entry = await source.entry(log_id)
    if entry is None:
        raise StartUnknown(
            f"this tenant has no entry {log_id}: it is another tenant's, or past the time that Auth0 keeps entries. "
            "Begin at a date, or at `beginning`: the oldest entry that Auth0 still has"
        )
    return _checkpoint(entry)


async def _surely_before(moment: datetime, source: SearchableLog) -> Checkpoint:
    """Returns an entry that stands before every event of `moment` or later; `OLDEST` if none is known to."""
    for page in range(MOST_PAGES):
        events = await source.search(page, newest_first=True, before=moment)
        if arrived := [event for event in events if _arrived_before(moment, event)]:
            return _checkpoint(max(arrived, key=lambda event: event.log_id))
        if len(events) < PER_PAGE:
            break
    return OLDEST


def _arrived_before(moment: datetime, event: Event) -> bool:
    """What arrived before a moment stands before everything that happened later."""
    arrived = log_id_time(event.log_id)
    return arrived is not None and moment - arrived > LEEWAY


async def _last_before(moment: datetime, before: Checkpoint, source: SearchableLog) -> Checkpoint:
    """Reads on from `before`. Returns the entry that stands before the first event of `moment` or later."""
    cursor = Cursor(before)
    while True:
        page = await cursor.read(source)
        passed = _older(page.events, moment)
        if passed < len(page.events):
            return _checkpoint(page.events[passed - 1]) if passed else cursor.checkpoint
        doubted = cursor.doubted
        cursor, direction = cursor.past(page)
        if direction is Direction.NONE:
            return cursor.checkpoint
        if direction is Direction.BACKWARD or (direction is Direction.UNSURE and doubted):
            # Followed without a pause it could lead in a circle.
            raise PageInvalid("Auth0's pages do not lead on to the date to begin at; looking for it again")


def _older(events: Sequence[Event], moment: datetime) -> int:
    """Returns how many of the first events are older. One whose date cannot be read is not passed over."""
    dates = (moment_of(event.date) for event in events)
    return next((index for index, date in enumerate(dates) if date is None or date >= moment), len(events))


def _checkpoint(event: Event) -> Checkpoint:
    return Checkpoint(log_id=event.log_id, date=event.date)
