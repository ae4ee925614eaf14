"""Where a tenant's log begins, which Auth0 does not tell."""

from __future__ import annotations

from collections.abc import Sequence

from producer.start import LEEWAY, MOST_PAGES, PER_PAGE
from shared.event import Event, log_id_time, moment_of


class FirstEntrySearch:
    """Finds where a tenant's log begins, among the results of a search by date. Pure.

    Auth0 gives a log in the order of ids, but does not tell its first id; the oldest entries by date can be asked for. An entry
    that reached the log late has a later id and an earlier date, and a busy tenant has more than a page of them. So the search
    goes on until no entry with a smaller id can be left: such a one came into the log, and therefore happened, before the moment
    that the smallest id so far carries.
    """

    def __init__(self) -> None:
        #: The page to ask for next, from 0.
        self.page = 0
        #: The smallest id so far; None in an empty log.
        self.event: Event | None = None
        #: `event` is the first one of the log.
        self.found = False

    @property
    def exhausted(self) -> bool:
        """There are no more pages to ask for; an older entry than `event` cannot be ruled out."""
        return not self.found and self.page == MOST_PAGES

    def add(self, events: Sequence[Event]) -> None:
        """Takes the next page of the oldest entries by date."""
        self.page += 1
        known = [self.event] if self.event else []
        self.event = min((*known, *events), key=lambda event: event.log_id, default=None)
        self.found = len(events) < PER_PAGE or self._nothing_smaller_follows(events[-1])

    def _nothing_smaller_follows(self, last: Event) -> bool:
        arrived, happened = log_id_time(self.event.log_id) if self.event else None, moment_of(last.date)
        # Ids or dates of another form: the first page is the best there is.
        return arrived is None or happened is None or happened - arrived > LEEWAY
