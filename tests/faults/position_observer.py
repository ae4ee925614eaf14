"""Looks at the committed positions all the time, and knows what had come to its end by then.

What it finds needs no kill: a position that is ahead of a 200 or a dead letter for a moment is a loss that only waits
for its crash.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from shared import commit_metadata
from shared.errors import TransportUnusable
from shared.transport.port import Position
from simulator.journal import Journal
from tests.faults.log_probe import LogProbe, LogUnreadable, Records

_EVERY: Final = 0.05  # seconds


class PositionSample(NamedTuple):
    #: What had come to its end when these positions had been read, at the latest.
    journal: int
    letters: frozenset[str]
    positions: Mapping[int, Position]
    #: By the clock of the journal; the positions were there by then.
    time_ns: int


@dataclass(slots=True)
class PositionObserver:
    probe: LogProbe
    journal: Journal
    #: One each time that the positions moved.
    samples: list[PositionSample] = field(default_factory=list)
    looks: int = 0
    #: Positions went back, which no member may do: partition, before, after.
    setbacks: list[tuple[int, int, int]] = field(default_factory=list)

    def look(self, positions: Mapping[int, Position], clock_ns: int) -> None:
        self.looks += 1
        last = self.samples[-1].positions if self.samples else {}
        if positions == last:
            return
        # After the positions: what comes to its end in between does no harm.
        letters = self.probe.dead_letters()
        for partition, position in positions.items():
            if partition in last and position.offset < last[partition].offset:
                self.setbacks.append((partition, last[partition].offset, position.offset))
        self.samples.append(PositionSample(len(self.journal), letters, positions, clock_ns))

    def ahead(self, records: Records) -> list[str]:
        """The log ids that a commit counted as done before they were."""
        answered = self._answers()
        found: list[str] = []
        for sample, places in self._newly_done(records):
            for place in places:
                log_id = records[place].log_id
                if answered.get(log_id, sample.journal) >= sample.journal and log_id not in sample.letters:
                    found.append(log_id)
        return found

    def called_after_commit(self, records: Records) -> dict[str, str]:
        """What was called, for the first time by that process, after a commit had said that it is done: the log id, where it
        stands, and how many seconds after that commit each process called it first."""
        committed: dict[str, int] = {}
        where = {record.log_id: place for place, record in records.items()}
        for sample, places in self._newly_done(records):
            for place in places:
                committed.setdefault(records[place].log_id, sample.time_ns)
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

    def _answers(self) -> Mapping[str, int]:
        """The place in the journal of each id's first 200."""
        answered: dict[str, int] = {}
        for place, delivery in enumerate(self.journal.all):
            if delivery.status == 200:
                answered.setdefault(delivery.call.log_id, place)
        return answered

    def _newly_done(self, records: Records) -> Iterator[tuple[PositionSample, list[tuple[int, int]]]]:
        """For each sample the places that it is the first to count as done."""
        left: dict[int, dict[int, None]] = {}
        for partition, offset in sorted(records):
            left.setdefault(partition, {})[offset] = None
        for sample in self.samples:
            places = []
            for partition, position in sample.positions.items():
                waiting = left.get(partition, {})
                known = commit_metadata.decode(position.offset, position.metadata) if position.metadata else None
                until = known.until if known else position.offset
                still_open = set(known.open) if known else set()
                for offset in _below(waiting, until):
                    if offset < position.offset or offset not in still_open:
                        del waiting[offset]
                        places.append((partition, offset))
            yield sample, places


def _below(waiting: Mapping[int, None], until: int) -> list[int]:
    """The offsets below `until`; the mapping is in their order."""
    found = []
    for offset in waiting:
        if offset >= until:
            break
        found.append(offset)
    return found


@contextmanager
def watching(probe: LogProbe, journal: Journal) -> Iterator[PositionObserver]:
    """An observer at work in a thread of its own, with one more look at the end."""
    observer, stop = PositionObserver(probe, journal), threading.Event()
    failures: list[BaseException] = []
    thread = threading.Thread(target=lambda: _run(observer, stop, failures), name="observer")
    thread.start()
    try:
        yield observer
    finally:
        stop.set()
        thread.join(30)
    assert not failures, failures


def _run(observer: PositionObserver, stop: threading.Event, failures: list[BaseException]) -> None:
    try:
        asyncio.run(_watch(observer, stop))
    except BaseException as error:  # noqa: BLE001  raised where the watching ends
        failures.append(error)


async def _watch(observer: PositionObserver, stop: threading.Event) -> None:
    transport = observer.probe.transport()
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
    observer.probe.close()
