"""Removes delivered records after their time, and returns the file's free pages to the system, in short steps.

The member does it between polls, on its own connection. Each step is a transaction, so the poller waits for it no longer than for
a commit. A pass begins at the start and then every minute, and ends when nothing is due.

Delivered means below the committed position *in the file*. Records above it stay, completed or not.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from shared.errors import TransportUnusable
from shared.logging import get_logger
from shared.transport.sqlite.file import Connection, File, transaction, vacuums

_PASS_EVERY: Final = 60.0  # seconds
_STEP: Final = 0.01  # seconds after which a step ends
_STEP_ROWS: Final = 1_000
#: Few in a transaction: for each page SQLite searches the list of free ones, which takes up to 1 ms in a file of 1 GB.
_STEP_PAGES: Final = 10
#: Free pages that stay for new records: else a file of constant size would return pages and need them again.
_SPARE_PAGES: Final = 1_000
_SPARE_SHARE: Final = 4  # a quarter of the file, if that is more

log = get_logger(__name__)


class Retention:
    """Removes a delivered record `seconds` after it was published. One call at a time."""

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
        """Takes steps until so many records are removed or nothing is due; at least one step if something is due.

        A failure is logged and ends the pass; nothing is lost.
        """
        while self.due:
            try:
                removed = await self._file.run(_remove, self._clock() - self._seconds)
                more = removed or await self._file.run(_shorten)
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
        """Makes a whole pass, or as much of it as fits into about `within` seconds."""
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
    """Returns how many records were removed."""
    if not _candidates(connection, before, 1):
        return 0  # without a write transaction: the poller need not wait for an idle consumer
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
    """Returns offsets by age. The index on `timestamp` holds the offset too, so no record is read.

    The first query makes it cheap while everything old is undelivered, as after weeks with the webhook down.
    """
    found = connection.execute(
        "SELECT offset, (SELECT min(offset) FROM record) AS oldest FROM committed WHERE oldest < offset"
    ).fetchone()
    query = "SELECT offset FROM record WHERE timestamp < ? AND offset < ? ORDER BY timestamp LIMIT ?"
    return connection.execute(query, (before, found[0], limit)).fetchall() if found else []


def _shorten(connection: Connection) -> bool:
    """Shortens the file by a step. Returns False if it has no page to return."""
    if not vacuums(connection):
        return False
    before = surplus = _surplus(connection)
    deadline = time.monotonic() + _STEP
    while surplus > 0:
        # `execute` would return one page only: it runs the first step of a statement, and this one has no rows to fetch.
        connection.executescript(f"PRAGMA incremental_vacuum({min(surplus, _STEP_PAGES)})")
        if time.monotonic() > deadline:
            break
        surplus = _surplus(connection)
    return before > 0


def _surplus(connection: Connection) -> int:
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    return int(free) - max(_SPARE_PAGES, int(pages) // _SPARE_SHARE)
