"""The consumer's loop: polls, hands records to the dispatcher, commits what is completed, and gives partitions back in order.

One event loop owns everything here. The loop itself only polls; deliveries move by callbacks, and commits are made beside them.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Final

from consumer.control import SkipRequests
from consumer.delivery_log import ConsumerLog
from consumer.desired_state import DesiredState
from consumer.dispatcher import Dispatcher
from consumer.observer import ConsumerCounts, ConsumerObserver
from consumer.partitions.commits import Commits
from consumer.partitions.partition import Partition
from consumer.partitions.window import MOST_BYTES, Window
from consumer.policy import Policy
from consumer.record_gaps import RecordGaps
from consumer.report import BreakerHistory, WorkerReporter, WorkerState
from consumer.scheduling.circuit_breaker import Breaker
from consumer.webhook import Webhook
from shared import failpoints
from shared.control import ControlReader
from shared.documents.gap import GapKind
from shared.event_rules import EventRules
from shared.logging import get_logger
from shared.observers import all_of
from shared.record import Record
from shared.transport.port import Member, PartitionRecords, Position, RebalanceListener, Table, Transport
from shared.waiting import Stopped, unless_stopped

_POLL_WAIT: Final = 0.1  # seconds; also how soon a stop is seen
_PAUSED_WAIT: Final = 0.05  # the same with some partitions paused: they may have to go on before another one has records
_IDLE_WAIT: Final = 0.5  # the same with nothing under way: half the CPU of an idle consumer; records end the wait at once
_POLL_LIMIT: Final = 200  # records; larger polls make the calls uneven
#: Seconds without a poll while all partitions are paused: a poll that may return nothing would not notice new room.
_ROOM_WAIT: Final = 0.25

log = get_logger(__name__)


class Worker(RebalanceListener):
    """Delivers one member's records.

    `window` in records, `commit_interval` and `drain_timeout` in seconds, `jitter` draws from [0, 1). `rules` run on events
    before they are sent; the worker starts and closes them. `observers` are told beside the counts and our own log.
    """

    def __init__(
        self,
        *,
        webhook: Webhook,
        policy: Policy,
        breaker: Breaker,
        window: int,
        window_bytes: int = MOST_BYTES,
        commit_interval: float,
        drain_timeout: float,
        rules: EventRules | None = None,
        observers: Sequence[ConsumerObserver] = (),
        jitter: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._drain_timeout = drain_timeout
        self._clock = clock
        self._breaker = breaker
        self._has_room = asyncio.Event()
        self.counts = ConsumerCounts()
        history = BreakerHistory()
        observer = all_of(ConsumerObserver, self.counts, ConsumerLog(policy.success), history, *observers)
        self._window = Window(
            window,
            most=_POLL_LIMIT,
            most_bytes=window_bytes,
            on_room=self._has_room.set,
            on_many=lambda: self._commits.look(),
        )
        self._commits = Commits(self._window, interval=commit_interval, observer=observer, clock=clock)
        self._dispatcher = Dispatcher(
            webhook=webhook,
            policy=policy,
            breaker=breaker,
            blocked=self._asleep,
            open_letters=self._open_letters,
            rules=rules,
            observer=observer,
            jitter=jitter,
            clock=clock,
        )
        #: What runs on events before they are sent; None: nothing does.
        self.rules = rules
        self.desired = DesiredState(self._dispatcher.pause)
        self.gaps = RecordGaps()
        skips = SkipRequests(self._dispatcher, self._window)
        #: What acts on the control table, and what is set for it to look at once.
        self.control_readers: Sequence[ControlReader] = (self.desired, skips, self.gaps)
        self.control_wake = self._dispatcher.skip_progress
        self._reporter = WorkerReporter(
            window=self._window,
            dispatcher=self._dispatcher,
            breaker=breaker,
            history=history,
            desired=self.desired,
            concurrent_calls=policy.concurrent_calls,
            ordering=policy.ordering,
            rules=rules,
        )
        self.report = self._reporter.report
        self._transport: Transport | None = None
        self._share: int | None = None
        self._running = self._joined = False
        self._session = 0.0
        self._polled = clock()

    # -- the loop

    async def run(self, transport: Transport, stop: asyncio.Event) -> None:
        """Delivers until `stop` is set; then drains, commits and leaves.

        Raises `TransportUnusable`, and what `EventRules.start` raises.
        """
        self._transport = transport
        try:
            if self.rules is not None:
                await unless_stopped(stop, self.rules.start())
            member = await unless_stopped(stop, transport.member(self))
            self._session = member.session
            self._polled, self._running = self._clock(), True
            try:
                while not stop.is_set():
                    await self.turn(member)
            finally:
                await member.close()
                await self._commits.close()
        except Stopped:
            pass  # before the log could be reached
        finally:
            await self._dispatcher.close()
            if self.rules is not None:
                await self.rules.close()

    async def turn(self, member: Member) -> None:
        """One round: polls, and starts what can start."""
        self._commits.serve(member)
        paused = await self._paused()
        wait = _PAUSED_WAIT if paused else _POLL_WAIT if self._window.taken else _IDLE_WAIT
        polled = await member.poll(wait=wait, limit=self._window.limit, paused=paused)
        self._polled, self._session = self._clock(), member.session  # in this order: we may be frozen in between
        for one in polled:
            failpoints.at("after-poll")
            self._accept(one)
        self._dispatcher.launch()

    async def _paused(self) -> Collection[int]:
        """Returns the partitions to take nothing from; if these are all, waits a little for room first."""
        deadline = self._clock() + _ROOM_WAIT
        while True:
            self._has_room.clear()
            self._unpark()
            self._commits.look()
            paused = self._window.full()
            left = deadline - self._clock()
            if len(paused) < len(self._window.owned) or not paused or left <= 0:
                return paused
            with suppress(TimeoutError):
                await asyncio.wait_for(self._has_room.wait(), left)

    def _accept(self, polled: PartitionRecords) -> None:
        partition = self._window.owned.get(polled.partition)
        if partition is not None and partition.live:
            self._take(partition, [*partition.parked, *polled.records] if partition.parked else polled.records)

    def _take(self, partition: Partition, records: Sequence[Record]) -> None:
        ledger, partition.parked = partition.ledger, ()
        for place, record in enumerate(records):
            if not ledger.fits(record.offset):
                partition.parked = records[place:]
                self._crowded(partition)
                break
            if ledger.take(record.offset):
                self._dispatcher.take(partition, record)

    def _unpark(self) -> None:
        """Takes what waits for room in a commit, as far as there is some."""
        for partition in self._window.owned.values():
            if partition.parked and partition.live:
                self._take(partition, partition.parked)
                self._dispatcher.launch()

    def _crowded(self, partition: Partition) -> None:
        if not partition.crowded:
            log.warning(
                "a commit has no room for more open events of this partition: nothing is read of it until some are done "
                "(said once)",
                partition=partition.number,
                open=partition.ledger.open,
                position=partition.ledger.position,
            )
        partition.crowded = True

    def _asleep(self) -> bool:
        """We slept through our session: another member may own the partitions by now; the next poll will tell."""
        return self._clock() - self._polled > self._session

    async def _open_letters(self) -> Table:
        if self._transport is None:
            raise RuntimeError("the worker does not run")
        return await self._transport.dead_letters()

    @property
    def state(self) -> WorkerState:
        return self._reporter.state

    @property
    def joined(self) -> bool:
        """The group has given this member its part, which may be none."""
        return self._joined

    @property
    def owned(self) -> Collection[int]:
        """The partitions of this member."""
        return self._window.owned

    @property
    def oldest_undelivered(self) -> float | None:
        """When the oldest event that is taken and not completed was published, since the epoch; None: there is none."""
        heads = (next(iter(one.pending.values())) for one in self._window.owned.values() if one.pending)
        return min((head.record.timestamp for head in heads), default=None)

    @property
    def idle_for(self) -> float:
        """Seconds since the last poll returned: a few tenths while all is well. 0 before there is a member."""
        return self._clock() - self._polled if self._running else 0.0

    @property
    def commits_fail_for(self) -> float:
        """Seconds since a commit failed, and none worked after it; 0 while all is well, or there is nothing to commit."""
        since = self._commits.fails_since
        return 0.0 if since is None else self._clock() - since

    # -- the rebalance listener

    def assigned(self, partition: int, position: Position) -> None:
        ledger = self._window.add(partition, position, self._transport.metadata_limit if self._transport else None).ledger
        log.info("partition assigned", partition=partition, offset=position.offset, done_beyond=ledger.beyond)
        if ledger.foreign_metadata:
            log.warning(
                "the metadata of the committed position is damaged or another program's and is ignored: "
                "what was done beyond the position may be delivered again",
                partition=partition,
                offset=position.offset,
            )

    def share(self, calls: int) -> None:
        if calls != self._share:
            log.info("concurrent calls of this member", calls=calls)
        self._share, self._joined = calls, True
        self._dispatcher.set_share(calls)

    async def revoked(self, partitions: Collection[int]) -> Mapping[int, Position]:
        """Waits for the open calls, and cancels what is left at the drain timeout; nothing new starts meanwhile.

        A chain of rules under way has that time, too, and if it ends in it, the call of its event.
        """
        leaving = self._window.retire(partitions)
        self._dispatcher.drop_leaving()
        failpoints.at("in-revoked")
        await self._drain(leaving)
        failpoints.at("drained")
        self._drop(leaving)
        log.info("partitions released", partitions=sorted(partitions))
        return {partition.number: partition.ledger.committable for partition in leaving}

    def removed(self, partition: int, offsets: range, was_committed: bool) -> None:
        self.gaps.found(GapKind.RETENTION if was_committed else GapKind.OFFSETS, partition, offsets)

    def lost(self, partitions: Collection[int]) -> None:
        leaving = self._window.retire(partitions)
        self._dispatcher.cancel(leaving)
        self._dispatcher.stage.cancel(leaving)
        self._drop(leaving)
        log.warning("partitions lost: another member may repeat what was under way", partitions=sorted(partitions))
        self._joined = False

    async def _drain(self, leaving: Sequence[Partition]) -> None:
        deadline = self._clock() + self._drain_timeout
        while self._dispatcher.unfinished(leaving) and (left := deadline - self._clock()) > 0:
            self._dispatcher.drained.clear()
            try:
                await asyncio.wait_for(self._dispatcher.drained.wait(), left)
            except TimeoutError:
                break
        if cancelled := self._dispatcher.cancel(leaving):
            log.warning("calls broken off at the drain timeout; they will be made again", calls=cancelled)
        if cancelled := self._dispatcher.stage.cancel(leaving):
            log.warning("rules broken off; the next owner of the partition runs them again", events=cancelled)

    def _drop(self, leaving: Sequence[Partition]) -> None:
        self._window.drop(leaving)
        self._dispatcher.drop_leaving()
