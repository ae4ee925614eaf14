"""What a poller says about itself in its replica's document."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from producer.cursor import Page
from producer.observer import ProducerObserver, PublishedPage
from shared.documents.replica import PollerReport
from shared.errors import RateLimited
from shared.masking import excerpt
from shared.transport.port import OLDEST, Checkpoint

_LONGEST_ERROR: Final = 300  # characters


class PollerHistory(ProducerObserver):
    """Follows the poller. `clock`: seconds since the epoch."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._failures = 0
        self._last_error = ""
        self._last_poll: float | None = None
        self._moved: float | None = None
        #: None: it does not lead, and does not know.
        self.checkpoint: Checkpoint | None = None
        self.caught_up = False
        #: When Auth0 last had nothing newer; before that, when the poller began.
        self._since: float | None = None

    @property
    def behind(self) -> float | None:
        """Seconds since the poller was last caught up; None: it does not lead."""
        return None if self._since is None or self.checkpoint is None else max(0.0, self._clock() - self._since)

    def leading(self, checkpoint: Checkpoint) -> None:
        self.checkpoint, self.caught_up = checkpoint, False
        self._since = checkpoint.caught_up or self._since or self._clock()

    def standing_by(self) -> None:
        self.checkpoint, self.caught_up = None, False

    def page_fetched(self, page: Page, began: float) -> None:
        self._last_poll, self.caught_up = began, not page.events
        if not page.events:
            self._failures, self._last_error, self._since = 0, "", began

    def page_published(self, page: PublishedPage) -> None:
        self.checkpoint, self._moved = page.checkpoint, self._clock()
        self._failures, self._last_error = 0, ""

    def renewal_failed(self, error: Exception) -> None:
        self._last_error = excerpt(str(error), _LONGEST_ERROR)

    def rate_limited(self, error: RateLimited) -> None:
        self._last_error, self.caught_up = excerpt(str(error), _LONGEST_ERROR), False

    def turn_failed(self, error: Exception, failures: int, _wait: float) -> None:
        self._failures, self._last_error, self.caught_up = failures, excerpt(str(error), _LONGEST_ERROR), False

    def report(self, *, tenant: str, leading: bool, rate_limit_remaining: int | None) -> PollerReport:
        checkpoint = (self.checkpoint if leading else None) or OLDEST
        return PollerReport(
            tenant=tenant,
            leading=leading,
            checkpoint=checkpoint.log_id,
            checkpoint_date=checkpoint.date,
            checkpoint_moved=self._moved,
            last_poll=self._last_poll,
            caught_up=leading and self.caught_up,
            failures=self._failures,
            last_error=self._last_error,
            rate_limit_remaining=rate_limit_remaining,
        )
