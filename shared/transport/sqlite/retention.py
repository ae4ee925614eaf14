"""Removes delivered records when their time is over, and gives the file's free pages back: in short steps between other work.

The member's connection and thread do it. Each step is a transaction of its own, so the poller waits for it no longer than for a
commit. A pass begins at the start and then every minute; it goes on until nothing is due.

Delivered means below the committed position *in the file*. What was done above it stays, with what is open there.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from shared.errors import TransportUnusable
from shared.logging import get_logger
from shared.transport.sqlite.file import Connection, File, transaction, vacuums

_PASS_EVERY: Final = 60.0  # seconds
_STEP: Final = 0.01  # seconds after which a step does no more
_STEP_ROWS: Final = 1_000
#: Transactions of a few: for each page SQLite looks through the list of free ones, which takes up to 1 ms in a file of 1 GB.
_STEP_PAGES: Final = 10
#: Free pages that stay for new records: a file in its steady state would give them back and ask for them again.
_SPARE_PAGES: Final = 1_000
_SPARE_SHARE: Final = 4  # or a quarter of the file

log = get_logger(__name__)


class Retention:
    """`seconds` after publishing a delivered record is removed. One owner, one call at a time."""

    def __init__(self, file: File, seconds: float, *, clock: Callable[[], float] = time.time) -> None:
        self._file = file
        self._seconds = seconds
        self._clock = clock
        self._next_pass = time.monotonic()
        self._removed = 0

    @property
    def due(self) -> bool:
        return time.monotonic() >= self._next_pass

    async def remove(self, rows: int) -> None:
        """Steps until that many records are removed or nothing is due; at least one step if something is.

        A failure is logged and ends the pass; nothing is lost by it.
        """
        while self.due:
            try:
                removed = await self._file.run(_remove, self._clock() - self._seconds)
                more = removed or await self._file.run(_give_back)
            except TransportUnusable as error:
                log.warning("delivered records could not be removed; trying again in a minute", reason=str(error))
                removed = more = 0
            self._removed += removed
            rows -= removed
            if not more:
                self._end_pass()
            if not removed or rows <= 0:
                return

    async def finish(self, within: float) -> None:
        """A whole pass, or about `within` seconds of it."""
        self._next_pass = time.monotonic()
        deadline = self._next_pass + within
        while self.due and time.monotonic() < deadline:
            await self.remove(1)

    def _end_pass(self) -> None:
        self._next_pass = time.monotonic() + _PASS_EVERY
        if self._removed:
            log.info("delivered records removed after their time", records=self._removed)
        self._removed = 0


def _remove(connection: Connection, before: float) -> int:
    """How many records were removed: 0 if there are none."""
    if not _candidates(connection, before, 1):
        return 0  # without a write transaction: an idle process keeps nobody waiting
    deadline = time.monotonic() + _STEP
    removed = 0
    with transaction(connection):
        for row in _candidates(connection, before, _STEP_ROWS):
            connection.execute("DELETE FROM record WHERE offset = ?", row)
            removed += 1
            if time.monotonic() > deadline:
                break
    return removed


def _candidates(connection: Connection, before: float, limit: int) -> list[tuple[int]]:
    """Offsets by age. The index on `timestamp` holds the offset too: no record is read for it.

    The first look ends it at once where everything old is undelivered, as after weeks of a dead webhook.
    """
    found = connection.execute(
        "SELECT offset, (SELECT min(offset) FROM record) AS oldest FROM committed WHERE oldest < offset"
    ).fetchone()
    query = "SELECT offset FROM record WHERE timestamp < ? AND offset < ? ORDER BY timestamp LIMIT ?"
    return connection.execute(query, (before, found[0], limit)).fetchall() if found else []


def _give_back(connection: Connection) -> bool:
    """Shorten the file by a step; False: there is nothing to give back."""
    if not vacuums(connection):
        return False
    before = surplus = _surplus(connection)
    deadline = time.monotonic() + _STEP
    while surplus > 0:
        # `execute` would give back one page: it takes the first step of a statement, and this one has no rows to fetch.
        connection.executescript(f"PRAGMA incremental_vacuum({min(surplus, _STEP_PAGES)})")
        if time.monotonic() > deadline:
            break
        surplus = _surplus(connection)
    return before > 0


def _surplus(connection: Connection) -> int:
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    return int(free) - max(_SPARE_PAGES, int(pages) // _SPARE_SHARE)
