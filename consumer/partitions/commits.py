"""When positions are committed: beside the polls and the calls, one commit at a time.

A crash repeats what is completed and not committed. So a commit begins as soon as there are `MANY` such events, or the window is
full, but at most ten times a second; on the interval, however few there are; and at once where they are half of the window. After
a commit that did not work only the interval counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf
from typing import Final

from consumer.observer import ConsumerObserver
from consumer.partitions.window import Window
from shared import failpoints
from shared.transport.port import Member

#: Seconds from one commit to the next that is made for the number of events. One costs 0.5 ms of CPU on Kafka.
_SPACING: Final = 0.1


class Commits:
    """`interval` in seconds: no completed event waits longer for its commit to begin."""

    def __init__(self, window: Window, *, interval: float, observer: ConsumerObserver, clock: Callable[[], float]) -> None:
        self._window = window
        self._interval = interval
        self._observer = observer
        self._clock = clock
        self._began = clock()
        #: By the clock; None: the last commit worked, or there is nothing to commit any more.
        self.fails_since: float | None = None
        self._member: Member | None = None
        self._under_way: asyncio.Task[None] | None = None
        self._error: BaseException | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._look_at = inf

    def serve(self, member: Member) -> None:
        """Begins a commit with this member, now and from now on, whenever it is time. Raises what the last commit raised."""
        self._member = member
        if self._error is not None:
            raise self._error
        self.look()

    def look(self) -> None:
        """Begins a commit if it is time; else looks again when it will be."""
        if self._member is None or self._under_way is not None or self._error is not None:
            return
        wait = self._wait()
        if wait <= 0:
            self._begin(self._member)
        elif self._window.uncommitted and self._clock() + wait < self._look_at:
            self._look_in(wait)

    async def close(self) -> None:
        """Waits for the commit under way; none begins any more. Raises what it raised."""
        self._member = None
        self._look_in(None)
        if self._under_way is not None:
            await asyncio.wait([self._under_way])
        if self._error is not None:
            raise self._error

    def _wait(self) -> float:
        """Seconds until the next commit is due."""
        since = self._clock() - self._began
        if self.fails_since is None and self._window.commit_needed:
            return 0.0
        return (_SPACING if self.fails_since is None and self._window.many else self._interval) - since

    def _begin(self, member: Member) -> None:
        self._look_in(None)
        self._began = self._clock()
        self._under_way = asyncio.create_task(self._commit(member))
        self._under_way.add_done_callback(self._over)

    async def _commit(self, member: Member) -> None:
        # Taken here, not in `_begin`: that may be in the middle of a batch, with half of it completed.
        now = self._window.snapshot()
        moved = {owned.number: position for owned, (position, _) in now.items() if position != owned.committed}
        if moved and not await member.commit(moved):
            self.fails_since = self._clock() if self.fails_since is None else self.fails_since
            self._observer.commit_failed(moved)
            return
        self.fails_since = None
        if moved:
            failpoints.at("after-commit")
            self._observer.positions_committed(moved)
        self._window.committed(now)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._under_way = None
        if not task.cancelled():
            self._error = task.exception()
            self.look()

    def _look_in(self, seconds: float | None) -> None:
        """One timer at most; None: no timer."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._look_at = None, inf
        if seconds is not None:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._look_again)
            self._look_at = self._clock() + seconds

    def _look_again(self) -> None:
        self._timer, self._look_at = None, inf
        self.look()
