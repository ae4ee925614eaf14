"""A tenant's log: the entries that exist at a moment, in the order of their ids.

Pure: the time (seconds since the epoch) is handed in.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from simulator.entries import Entries, index_in

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class TenantLog(Protocol):
    """Indexes are valid until the next call of `span`."""

    def span(self, now: float) -> range:
        """Returns the indexes that can be read at this moment: indexed already, and within the retention."""

    def find(self, log_id: str, span: range) -> int | None:
        """Returns the index of an id in `span`; None: the tenant does not know it (any more)."""

    def raw(self, index: int) -> bytes:
        """Returns the JSON of the entry, byte for byte."""

    def log_id(self, index: int) -> str: ...

    def date(self, index: int) -> float:
        """Returns the date of the entry, in seconds since the epoch; entries need not be in the order of their dates."""


class GeneratedLog:
    """A backlog that exists at `origin` (seconds since the epoch), and from then on `rate` new entries a second (0: none).

    The backlog's entries lie 1/`backlog_rate` seconds apart, the youngest at `origin`. `limit`: the most entries there will be.
    Entries are made when they are read and are not kept: a million cost nothing.
    """

    def __init__(
        self,
        *,
        origin: float,
        backlog: int = 0,
        rate: float = 0.0,
        backlog_rate: float = 20.0,
        limit: int | None = None,
        retention: float | None = None,
        entries: Entries | None = None,
    ) -> None:
        self._origin_us = round(origin * 1e6)
        self._backlog = backlog
        # Whole microseconds, so that the number of entries and their dates agree exactly.
        self._step_us = round(1e6 / rate) if rate else None
        self._backlog_step_us = round(1e6 / backlog_rate)
        self._limit = limit
        self._retention = retention
        self._entries = entries or Entries()

    def span(self, now: float) -> range:
        stop = self._count(now)
        return range(0 if self._retention is None else min(stop, self._count(now - self._retention)), stop)

    def find(self, log_id: str, span: range) -> int | None:
        index = index_in(log_id)
        return index if index in span and self.log_id(index) == log_id else None

    def raw(self, index: int) -> bytes:
        return self._entries.raw(index, self._at(index))

    def log_id(self, index: int) -> str:
        return self._entries.log_id(index, self._at(index))

    def date(self, index: int) -> float:
        return (self._at_us(index) // 1000 - self._entries.late(index)) / 1000

    def _at(self, index: int) -> datetime:
        """Returns when the entry takes its place in the log."""
        return _EPOCH + timedelta(microseconds=self._at_us(index))

    def _at_us(self, index: int) -> int:
        live = index - self._backlog + 1
        step = self._backlog_step_us if live <= 0 else (self._step_us or 0)
        return self._origin_us + live * step

    def _count(self, now: float) -> int:
        """Returns the number of entries at this moment."""
        past_us = round(now * 1e6) - self._origin_us
        if past_us < 0:
            return max(0, self._backlog + past_us // self._backlog_step_us)
        live = past_us // self._step_us if self._step_us else 0
        return self._backlog + live if self._limit is None else min(self._limit, self._backlog + live)
