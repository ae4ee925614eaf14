"""Where a tenant's log begins, found among the results of a search by date. Pure.

Auth0 gives a log in the order of ids, but tells nobody its first id; what can be asked for are the oldest entries by date. An
entry that reached the log late has a later id and an earlier date, and a busy tenant has more than a page of them. So the search
goes on until no entry with a smaller id can be left: such a one came into the log, and therefore happened, before the moment
that the smallest id so far carries.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from shared.event import Event, log_id_time

PER_PAGE: Final = 100
#: Auth0 shows no more than 1,000 results of one search.
MOST_PAGES: Final = 10
#: An id's moment is cut to the second; the clock that dates an entry may be another one than that of the log.
_LEEWAY: Final = timedelta(seconds=2)


class FirstEntry:
    def __init__(self) -> None:
        #: The page to ask for next, from 0.
        self.page = 0
        self.event: Event | None = None
        #: Whether `event` is the first one; None in an empty log.
        self.found = False

    @property
    def exhausted(self) -> bool:
        """There are no more pages to ask for; an older entry than `event` cannot be ruled out."""
        return not self.found and self.page == MOST_PAGES

    def add(self, events: Sequence[Event]) -> None:
        """The next page of the oldest entries by date."""
        self.page += 1
        known = [self.event] if self.event else []
        self.event = min((*known, *events), key=lambda event: event.log_id, default=None)
        self.found = len(events) < PER_PAGE or self._nothing_smaller_follows(events[-1])

    def _nothing_smaller_follows(self, last: Event) -> bool:
        arrived, happened = log_id_time(self.event.log_id) if self.event else None, _moment(last.date)
        # Ids or dates of another form: the first page is the best there is.
        return arrived is None or happened is None or happened > arrived + _LEEWAY


def _moment(date: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(date)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
