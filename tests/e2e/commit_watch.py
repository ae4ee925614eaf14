"""Reads the committed positions every 50 ms, each time with the length of the receiver's journal."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from shared import commit_metadata
from shared.transport.port import Position
from simulator.journal import Journal
from tests.support.transports import Log

Positions = Mapping[int, Position]


@dataclass(slots=True)
class CommitWatch:
    journal: Journal
    #: One for each time that the positions moved: the positions, and the length of the journal read after them.
    samples: list[tuple[Positions, int]] = field(default_factory=list)
    looks: int = 0

    @property
    def last(self) -> Positions:
        return self.samples[-1][0] if self.samples else {}

    def look(self, committed: Positions) -> None:
        self.looks += 1
        if committed != self.last:
            self.samples.append((committed, len(self.journal)))

    def ahead(self, records: Mapping[tuple[int, int], str]) -> set[str]:
        """Returns the log ids that a commit counted as done before their 200. `records`: by partition and offset."""
        answered: dict[str, int] = {}
        for index, delivery in enumerate(self.journal.all):
            if delivery.status == 200:
                answered.setdefault(delivery.call.log_id, index)
        found: set[str] = set()
        for committed, length in self.samples:
            done = _Done(committed)
            found |= {
                log_id
                for partition_offset, log_id in records.items()
                if partition_offset in done and answered.get(log_id, length) >= length
            }
        return found


class _Done:
    """What a commit counts as done: all below the position, and what its metadata names beyond it."""

    def __init__(self, committed: Positions) -> None:
        self._committed = committed
        self._known = {p: commit_metadata.decode(position.offset, position.metadata) for p, position in committed.items()}

    def __contains__(self, partition_offset: tuple[int, int]) -> bool:
        partition, offset = partition_offset
        if partition not in self._committed:
            return False
        known = self._known[partition]
        beyond = known is not None and offset < known.until and offset not in known.open
        return offset < self._committed[partition].offset or beyond


@contextmanager
def watching(log: Log, journal: Journal) -> Iterator[CommitWatch]:
    """Yields a watch that reads in a thread."""
    watch, stop = CommitWatch(journal), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(_read(log, watch, stop)))
    thread.start()
    try:
        yield watch
    finally:
        stop.set()
        thread.join(10)


async def _read(log: Log, watch: CommitWatch, stop: threading.Event) -> None:
    transport = log.transport()
    stopping = False
    while not stopping:
        stopping = stop.is_set()  # one more read after that
        progress = await transport.progress()
        # The journal is read after the positions: a 200 in between does no harm.
        watch.look({partition: seen.committed for partition, seen in progress.items() if seen.committed})
        await asyncio.sleep(0.05)
    await transport.close()
