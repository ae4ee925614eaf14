"""Records that were gone before this member could read them, as reports in the control table; and the end of old reports."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

from shared.control import ControlReader
from shared.documents.gap import GapDocument, GapKind, surplus
from shared.transport.port import Table
from shared.words import GapPolicy

_TIDY_EVERY: Final = 3600.0  # seconds
_WHY: Final = {
    GapKind.RETENTION: "the topic's retention removed these records before they were delivered",
    GapKind.OFFSETS: "the group has no committed position, and the records before the oldest one are gone: "
    "its positions expired (offsets.retention.minutes), or it has never worked here",
}


class RecordGaps(ControlReader):
    """Reports wait here until the table takes them. `clock`: seconds since the epoch."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._waiting: dict[str, GapDocument] = {}
        #: By key, how far it goes. Until a commit is beyond it a partition tells of the same gap again, or of a longer one.
        self._known: dict[str, int] = {}
        self._tidied = -math.inf
        self.replica = ""
        #: Since the start, by kind.
        self.counts: Counter[str] = Counter()

    def found(self, kind: GapKind, partition: int, offsets: range) -> None:
        gap = GapDocument(
            id=f"{kind.value}-{partition}-{offsets.start}",
            kind=kind,
            time=self._clock(),
            by=self.replica,
            why=_WHY[kind],
            policy=GapPolicy.CONTINUE,
            certain=kind is GapKind.RETENTION,
            before="",
            before_date="",
            after="",
            after_date="",
            span=None,
            partition=partition,
            first_offset=offsets.start,
            last_offset=offsets.stop - 1,
            size=None,
            sha256="",
        )
        known = self._known.get(gap.key)
        if known is None:
            self.counts[kind.value] += 1
        if known is None or offsets.stop > known:
            self._known[gap.key] = offsets.stop
            self._waiting[gap.key] = gap

    async def read(self, table: Table, documents: Mapping[str, bytes]) -> bool:
        await self.leave(table)
        now = self._clock()
        if now - self._tidied >= _TIDY_EVERY:
            self._tidied = now
            for key in surplus(documents, now):  # the poller's too: it does not read the table
                await table.delete(key)
        return False

    def missed(self) -> None:
        pass  # they wait for the next look

    async def leave(self, table: Table) -> None:
        for key, gap in tuple(self._waiting.items()):
            await table.put(key, gap.encode())
            del self._waiting[key]
