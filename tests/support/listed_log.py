"""A tenant's log of entries that a test appends. `append` may be called from any thread."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from shared.event import log_id_time, slice_page
from simulator.tenant_log import TenantLog


class _Listed(NamedTuple):
    log_id: str
    date: float
    raw: bytes


class ListedLog(TenantLog):
    """Entries are appended in any order, and read in the order of their ids.

    `retention`: seconds after its date at which an entry is gone; None: never.
    """

    def __init__(self, raws: Iterable[bytes] = (), *, retention: float | None = None) -> None:
        self._entries: list[_Listed] = []
        self._retention = retention
        for raw in raws:
            self.append(raw)

    def append(self, raw: bytes) -> str:
        """Adds the JSON of one entry. Returns its id. Raises `PageInvalid` for anything else, `ValueError` for an id it has."""
        event = slice_page(b"[" + raw + b"]")[0]
        if self.find(event.log_id, range(len(self._entries))) is not None:
            raise ValueError(f"the log has an entry {event.log_id} already")
        insort(self._entries, _Listed(event.log_id, _seconds(event.date, event.log_id), raw))
        return event.log_id

    def forget(self, count: int) -> None:
        """Removes the oldest `count` entries, as if they were past the retention."""
        del self._entries[:count]

    def span(self, now: float) -> range:
        if self._retention is not None:
            oldest = now - self._retention
            self.forget(next((i for i, entry in enumerate(self._entries) if entry.date >= oldest), len(self._entries)))
        return range(len(self._entries))

    def find(self, log_id: str, span: range) -> int | None:
        index = bisect_left(self._entries, (log_id,))
        return index if index in span and self._entries[index].log_id == log_id else None

    def raw(self, index: int) -> bytes:
        return self._entries[index].raw

    def log_id(self, index: int) -> str:
        return self._entries[index].log_id

    def date(self, index: int) -> float:
        return self._entries[index].date


def _seconds(date: str, log_id: str) -> float:
    """Returns the date of an entry, else the one in its id, else the epoch."""
    try:
        moment: datetime | None = datetime.fromisoformat(date)
    except ValueError:
        moment = log_id_time(log_id)
    return moment.timestamp() if moment else 0.0
