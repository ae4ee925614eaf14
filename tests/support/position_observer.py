"""Reads the committed positions every 50 ms, each time with the events that were completed by then.

It finds a loss without a crash: a position that is ahead of a 200 or a dead letter for a moment loses that event if the process
dies in that moment.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from shared import commit_metadata
from shared.errors import TransportUnusable
from shared.transport.port import Position, Transport
from simulator.journal import Journal

_EVERY: Final = 0.05  # seconds
#: By partition and offset.
LogIds = Mapping[tuple[int, int], str]


class LogUnreadable(Exception):
    """The log cannot be read at the moment."""


class PositionSample(NamedTuple):
    #: The length of the receiver's journal, read after the positions.
    journal: int
    dead_letters: frozenset[str]
    positions: Mapping[int, Position]
    #: When the positions had been read, by the clock of the journal.
    time_ns: int


@dataclass(slots=True)
class PositionObserver:
    journal: Journal
    #: Returns the log ids that have a dead letter. Raises `LogUnreadable`.
    dead_letters: Callable[[], frozenset[str]] = frozenset
    #: One for each time that the positions moved.
    samples: list[PositionSample] = field(default_factory=list)
    looks: int = 0
    #: Positions that went back, which must not happen: partition, before, after.
    setbacks: list[tuple[int, int, int]] = field(default_factory=list)

    @property
    def last(self) -> Mapping[int, Position]:
        return self.samples[-1].positions if self.samples else {}

    def look(self, positions: Mapping[int, Position], clock_ns: int) -> None:
        self.looks += 1
        last = self.last
        if positions == last:
            return
        # Read after the positions: an event that is completed in between does no harm.
        dead_letters = self.dead_letters()
        for partition, position in positions.items():
            if partition in last and position.offset < last[partition].offset:
                self.setbacks.append((partition, last[partition].offset, position.offset))
        self.samples.append(PositionSample(len(self.journal), dead_letters, positions, clock_ns))

    def ahead(self, log_ids: LogIds) -> list[str]:
        """Returns the log ids that a commit counted as done before they were."""
        answered = self._first_successes()
        found: list[str] = []
        for sample, done in self._newly_done(log_ids):
            for partition_offset in done:
                log_id = log_ids[partition_offset]
                if answered.get(log_id, sample.journal) >= sample.journal and log_id not in sample.dead_letters:
                    found.append(log_id)
        return found

    def called_after_commit(self, log_ids: LogIds) -> dict[str, str]:
        """Returns the events that a process called for the first time after a commit had counted them as done: the log id, its
        partition and offset, and how many seconds after that commit each process called it first."""
        committed: dict[str, int] = {}
        where = {log_id: partition_offset for partition_offset, log_id in log_ids.items()}
        for sample, done in self._newly_done(log_ids):
            for partition_offset in done:
                committed.setdefault(log_ids[partition_offset], sample.time_ns)
        callers: dict[str, dict[str, int]] = {}
        found: dict[str, str] = {}
        for delivery in sorted(self.journal.all, key=lambda delivery: delivery.call.arrived_ns):
            call = delivery.call
            known = callers.setdefault(call.log_id, {})
            if call.path not in known and call.arrived_ns > committed.get(call.log_id, call.arrived_ns):
                found.setdefault(call.log_id, "")
            known.setdefault(call.path, call.arrived_ns)
        for log_id in found:
            after = [f"{path} {(at - committed[log_id]) / 1e9:+.3f}" for path, at in callers[log_id].items()]
            found[log_id] = f"{where[log_id]} {', '.join(after)}"
        return found

    def _first_successes(self) -> Mapping[str, int]:
        """Returns the index in the journal of each log id's first 200."""
        answered: dict[str, int] = {}
        for index, delivery in enumerate(self.journal.all):
            if delivery.status == 200:
                answered.setdefault(delivery.call.log_id, index)
        return answered

    def _newly_done(self, log_ids: LogIds) -> Iterator[tuple[PositionSample, list[tuple[int, int]]]]:
        """Yields each sample with the partitions and offsets that it is the first to count as done."""
        left: dict[int, dict[int, None]] = {}
        for partition, offset in sorted(log_ids):
            left.setdefault(partition, {})[offset] = None
        for sample in self.samples:
            done = []
            for partition, position in sample.positions.items():
                waiting = left.get(partition, {})
                known = commit_metadata.decode(position.offset, position.metadata) if position.metadata else None
                until = known.until if known else position.offset
                still_open = set(known.open) if known else set()
                for offset in _below(waiting, until):
                    if offset < position.offset or offset not in still_open:
                        del waiting[offset]
                        done.append((partition, offset))
            yield sample, done


def _below(waiting: Mapping[int, None], until: int) -> list[int]:
    """Returns the offsets below `until`; the mapping is sorted by offset."""
    found = []
    for offset in waiting:
        if offset >= until:
            break
        found.append(offset)
    return found


@contextmanager
def watching(
    open_transport: Callable[[], Transport], journal: Journal, dead_letters: Callable[[], frozenset[str]] = frozenset
) -> Iterator[PositionObserver]:
    """Yields an observer that reads in a thread of its own, and once more at the end."""
    observer, stop = PositionObserver(journal, dead_letters), threading.Event()
    failures: list[BaseException] = []
    thread = threading.Thread(target=lambda: _run(observer, open_transport, stop, failures), name="observer")
    thread.start()
    try:
        yield observer
    finally:
        stop.set()
        thread.join(30)
    assert not failures, failures


def _run(
    observer: PositionObserver, open_transport: Callable[[], Transport], stop: threading.Event, failures: list[BaseException]
) -> None:
    try:
        asyncio.run(_watch(observer, open_transport, stop))
    except BaseException as error:  # noqa: BLE001  the thread's owner raises it
        failures.append(error)


async def _watch(observer: PositionObserver, open_transport: Callable[[], Transport], stop: threading.Event) -> None:
    transport = open_transport()
    loop = asyncio.get_running_loop()
    stopping = False
    while not stopping:
        stopping = stop.is_set()
        try:
            progress = await transport.progress()
            moment = time.monotonic_ns()
            positions = {partition: seen.committed for partition, seen in progress.items() if seen.committed}
            await loop.run_in_executor(None, observer.look, positions, moment)
        except (TransportUnusable, LogUnreadable):
            pass  # the broker is down, or the file is not there yet
        await asyncio.sleep(_EVERY)
    await transport.close()
