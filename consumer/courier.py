"""The consumer's loop: takes records, has them delivered, commits what is done. One event loop owns everything here.

There is no task per event: a record becomes a `Delivery`, which goes from its lane to the ready list, to the webhook client and
back to `_landed`. The loop itself only polls, and commits on an interval. What limits what:

- at most `share` calls are open (the member's part of `WEBHOOK_CONCURRENT_CALLS`);
- at most `WINDOW` events are taken and not yet stored as done: open, ready, behind another of their key, waiting for a retry, or
  done since the last commit that worked. So a crash, or an outage of the log, repeats no more than that;
- each owned partition may fill its equal part of the window, so that one blocked partition does not stop the others.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from consumer.assignment import Assignment
from consumer.backoff import Backoff
from consumer.delivery import Delivery
from consumer.retries import Retries
from consumer.webhook import Attempt, Webhook
from shared.errors import RecordInvalid
from shared.log import get_logger
from shared.record import Record, log_id_of
from shared.transport.port import Batch, Handler, Member, Position, Transport

_POLL_WAIT: Final = 0.1  # seconds; also how soon a stop is seen
_POLL_LIMIT: Final = 200  # records; larger polls make the calls uneven

log = get_logger(__name__)


@dataclass(slots=True)
class Counts:
    """What happened since the start of this process."""

    taken: int = 0
    delivered: int = 0
    failed_attempts: int = 0
    held: int = 0


class Courier(Handler):
    """Delivers one member's records.

    `window` in records, `commit_interval` and `drain_timeout` in seconds, `jitter` draws from [0, 1).
    """

    def __init__(
        self,
        *,
        webhook: Webhook,
        backoff: Backoff,
        window: int,
        commit_interval: float,
        drain_timeout: float,
        jitter: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._webhook = webhook
        self._backoff = backoff
        self._window = window
        self._commit_interval = commit_interval
        self._drain_timeout = drain_timeout
        self._jitter = jitter
        self._clock = clock
        self._owned: dict[int, Assignment] = {}
        self._held: set[int] = set()
        self._share = 0
        self._ready: deque[Delivery] = deque()
        self._open: set[Delivery] = set()
        self._retries = Retries(self._due)
        self._drained = asyncio.Event()
        self._session = 0.0
        self._polled = self._committed = clock()
        #: The last commit worked.
        self._stored = True
        self.counts = Counts()

    # -- the loop

    async def run(self, transport: Transport, stop: asyncio.Event) -> None:
        """Deliver until `stop` is set; then drain, commit and leave. Raises `TransportUnusable`."""
        try:
            member = await transport.member(self)
            try:
                while not stop.is_set():
                    await self.turn(member)
            finally:
                await member.close()
        finally:
            await self._webhook.close()

    async def turn(self, member: Member) -> None:
        """One round: poll, start what can start, commit if it is time."""
        room = min(self._window - self._repeatable, _POLL_LIMIT)
        batches = await member.poll(wait=_POLL_WAIT, limit=max(room, 1), hold=self._full())
        self._polled, self._session = self._clock(), member.session
        for batch in batches:
            self._accept(batch)
        self._launch()
        if self._commit_is_due():
            await self._commit(member)

    def _commit_is_due(self) -> bool:
        """On the interval, and before what is done and not stored fills the window."""
        pressing = self._stored and sum(assignment.unstored for assignment in self._owned.values()) > self._window // 2
        return pressing or self._clock() - self._committed >= self._commit_interval

    async def _commit(self, member: Member) -> None:
        self._committed = self._clock()
        now = {assignment: (assignment.ledger.committable, assignment.unstored) for assignment in self._owned.values()}
        moved = {owned.partition: position for owned, (position, _) in now.items() if position != owned.committed}
        self._stored = not moved or await member.commit(moved)
        if self._stored:
            for assignment, (position, done) in now.items():
                assignment.committed = position
                assignment.unstored -= done

    # -- what an onlooker may know

    @property
    def in_window(self) -> int:
        """Events that are taken and not yet done."""
        return sum(assignment.ledger.open for assignment in self._owned.values())

    @property
    def _repeatable(self) -> int:
        """What a crash now would repeat at most."""
        return sum(assignment.ledger.open + assignment.unstored for assignment in self._owned.values())

    @property
    def idle_for(self) -> float:
        """Seconds since the loop last came round: a few tenths while all is well."""
        return self._clock() - self._polled

    @property
    def in_flight(self) -> int:
        return len(self._open)

    @property
    def waiting_for_retry(self) -> int:
        return len(self._retries)

    @property
    def done_beyond(self) -> int:
        """Events that are done while an earlier one of their partition is not."""
        return sum(assignment.ledger.beyond for assignment in self._owned.values())

    # -- the group's side

    def assigned(self, partition: int, position: Position) -> None:
        assignment = self._owned[partition] = Assignment(partition, position)
        log.info("partition assigned", partition=partition, offset=position.offset, done_beyond=assignment.ledger.beyond)
        if assignment.ledger.foreign_metadata:
            log.warning(
                "the metadata of the committed position is damaged or another program's and is ignored: "
                "what was done beyond the position may be delivered again",
                partition=partition,
                offset=position.offset,
            )

    def share(self, calls: int) -> None:
        if calls != self._share:
            log.info("concurrent calls of this member", calls=calls)
        self._share = calls
        self._launch()

    async def revoked(self, partitions: Collection[int]) -> Mapping[int, Position]:
        """Let open calls end, break off what is left after the drain timeout; nothing new starts meanwhile."""
        leaving = [self._owned[partition] for partition in partitions if partition in self._owned]
        for assignment in leaving:
            assignment.live = False
        await self._drain(leaving)
        self._forget(leaving)
        log.info("partitions given back", partitions=sorted(partitions))
        return {assignment.partition: assignment.ledger.committable for assignment in leaving}

    def lost(self, partitions: Collection[int]) -> None:
        leaving = [self._owned[partition] for partition in partitions if partition in self._owned]
        for assignment in leaving:
            assignment.live = False
        self._cancel(leaving)
        self._forget(leaving)
        log.warning("partitions lost: another member may repeat what was under way", partitions=sorted(partitions))

    async def _drain(self, leaving: Sequence[Assignment]) -> None:
        deadline = self._clock() + self._drain_timeout
        while self._calls_of(leaving) and (left := deadline - self._clock()) > 0:
            self._drained.clear()
            try:
                await asyncio.wait_for(self._drained.wait(), left)
            except TimeoutError:
                break
        if cancelled := self._cancel(leaving):
            log.warning("calls broken off at the drain timeout; they will be made again", calls=cancelled)

    def _cancel(self, leaving: Sequence[Assignment]) -> int:
        calls = self._calls_of(leaving)
        for delivery in calls:
            self._open.discard(delivery)
            self._webhook.cancel(delivery)
        return len(calls)

    def _calls_of(self, leaving: Sequence[Assignment]) -> list[Delivery]:
        return [delivery for delivery in self._open if delivery.assignment in leaving]

    def _forget(self, leaving: Sequence[Assignment]) -> None:
        for assignment in leaving:
            if self._owned.get(assignment.partition) is assignment:
                del self._owned[assignment.partition]
                self._held.discard(assignment.partition)
        self._ready = deque(delivery for delivery in self._ready if delivery.assignment.live)
        self._retries.forget_dead()
        self._launch()

    # -- from a record to its 200

    def _full(self) -> Collection[int]:
        """The partitions that have filled their part of the window; they stay held until half of it is free again."""
        part = max(1, self._window // max(1, len(self._owned)))
        for partition, assignment in self._owned.items():
            if assignment.ledger.open >= part:
                self._held.add(partition)
            elif assignment.ledger.open <= part // 2:
                self._held.discard(partition)
        return self._owned.keys() if self._repeatable >= self._window else self._held

    def _accept(self, batch: Batch) -> None:
        assignment = self._owned.get(batch.partition)
        if assignment is None or not assignment.live:
            return
        for record in batch.records:
            if not assignment.ledger.take(record.offset):
                continue
            self.counts.taken += 1
            try:
                delivery = self._delivery(assignment, record)
            except RecordInvalid as error:
                self._hold(assignment, record, error)
            else:
                if assignment.lanes.enter(delivery.key, delivery):
                    self._ready.append(delivery)

    def _delivery(self, assignment: Assignment, record: Record) -> Delivery:
        log_id = log_id_of(record)
        return Delivery(assignment, record.offset, record.key or log_id.encode(), log_id, record.value or b"")

    def _hold(self, assignment: Assignment, record: Record, error: RecordInvalid) -> None:
        """It stays open in the ledger, so the committed position never passes it; what comes after it is delivered."""
        self.counts.held += 1
        log.error(
            "a record cannot be delivered and is held: the position stays before it",
            partition=assignment.partition,
            offset=record.offset,
            reason=str(error),
        )

    def _launch(self) -> None:
        if self._clock() - self._polled > self._session:
            return  # we slept through our session: the partitions may be somebody else's by now, the next poll will tell
        while self._ready and len(self._open) < self._share:
            delivery = self._ready.popleft()
            if delivery.assignment.live:
                self._open.add(delivery)
                self._webhook.send(delivery, self._landed)

    def _landed(self, delivery: Delivery, attempt: Attempt) -> None:
        self._open.discard(delivery)
        if attempt.delivered:
            self._done(delivery)
        else:
            self._failed(delivery, attempt)
        if not delivery.assignment.live:
            self._drained.set()
        self._launch()

    def _done(self, delivery: Delivery) -> None:
        assignment = delivery.assignment
        assignment.ledger.done(delivery.offset)
        assignment.unstored += 1
        self.counts.delivered += 1
        log.debug("delivered", log_id=delivery.log_id, attempt=delivery.attempt)
        following = assignment.lanes.leave(delivery.key)
        if following is not None:
            self._ready.append(following)

    def _failed(self, delivery: Delivery, attempt: Attempt) -> None:
        self.counts.failed_attempts += 1
        delay = self._backoff.delay(delivery.attempt, self._jitter())
        log.warning(
            "not delivered, will be tried again",
            log_id=delivery.log_id,
            outcome=attempt.outcome,
            attempt=delivery.attempt,
            partition=delivery.assignment.partition,
            offset=delivery.offset,
            retry_in=round(delay, 3),
        )
        delivery.attempt += 1
        if delivery.assignment.live:
            self._retries.add(delivery, delay)

    def _due(self, delivery: Delivery) -> None:
        self._ready.append(delivery)
        self._launch()
