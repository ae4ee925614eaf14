"""What the group assigns and revokes: the rebalance listener of a member's client, and which partitions it owns by now.

The listener runs on the client's I/O thread, only while the client thread waits in `poll` or `close`, so these two never use this
object at once. It never raises and never blocks: the library would call it again and again, and stop the heartbeats. Commits are
made on the I/O thread too, at any time, one after the other: only they look at `owned` while the client thread may change it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from kafka import KafkaConsumer
from kafka.consumer.subscription_state import AsyncConsumerRebalanceListener
from kafka.errors import KafkaError, KafkaTimeoutError
from kafka.future import Future
from kafka.structs import OffsetAndMetadata, TopicPartition

from shared.logging import get_logger
from shared.transport.kafka.client import internals
from shared.transport.kafka.client.errors import reason
from shared.transport.kafka.group import fast_records
from shared.transport.kafka.group.assignor import SharingAssignor
from shared.transport.kafka.group.client import Watchdog
from shared.transport.port import Position, RebalanceListener

_COMMIT_BOUND: Final = 5.0

log = get_logger(__name__)


@dataclass(slots=True)
class OwnedPartition:
    """A partition that our listener was told of."""

    #: The offset that is committed.
    committed: int
    #: The number of the assignment to our listener that it came with.
    epoch: int
    #: The id of the topic whose offsets these are; None: not known.
    topic_id: object


class Membership(AsyncConsumerRebalanceListener):  # type: ignore[misc]  # the client library is not typed
    """`drain_bound`: seconds after which partitions that `listener` does not give back count as lost."""

    #: The client of the moment.
    consumer: KafkaConsumer

    def __init__(
        self,
        *,
        topic: str,
        assignor: SharingAssignor,
        watchdog: Watchdog,
        listener: RebalanceListener,
        loop: asyncio.AbstractEventLoop,
        drain_bound: float,
    ) -> None:
        self._topic = topic
        self._assignor = assignor
        self._watchdog = watchdog
        self._listener = listener
        self._loop = loop
        self._drain_bound = drain_bound
        #: By number; our listener was told of them.
        self.owned: dict[int, OwnedPartition] = {}
        #: Counts the assignments to our listener.
        self._epoch = 0
        #: The newest epoch that the event loop knows. Written there, and read there for each commit: its positions know nothing
        #: of a later assignment, after which the same offsets may be other records.
        self.known_epoch = 0
        #: Assigned partitions that have no position yet. They are paused: the library keeps a position from before.
        self.fresh: set[int] = set()
        #: When the newest assignment came.
        self.assigned_at = 0.0
        #: What our listener raised, which it must not; for the client thread to raise.
        self.failure: BaseException | None = None
        #: Resolved when the commit under way is over.
        self._committing: Future | None = None

    def attach(self, consumer: KafkaConsumer) -> None:
        fast_records.use_in(consumer)
        self.consumer = consumer

    # -- called by the client

    async def on_partitions_revoked(self, _revoked: Collection[TopicPartition]) -> None:
        self._watchdog.waiting(time.monotonic())
        self.fresh.clear()
        if self.owned:
            await self._commit_last(await self._drain(sorted(self.owned)))
        self.owned.clear()

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        self.consumer.pause(*assigned)
        self.fresh = {partition.partition for partition in assigned}
        self._watchdog.arrived()
        self.assigned_at = time.monotonic()
        share = self._assignor.share
        self._notify(self._listener.share, share.calls)
        if not assigned:
            log.info("standing by: this member has no share of the concurrent calls", limit=share.limit)

    async def on_partitions_lost(self, _lost: Collection[TopicPartition]) -> None:
        self._watchdog.waiting(time.monotonic())
        self.fresh.clear()
        self.lose(sorted(self.owned))
        self._notify(self._listener.share, 0)  # others may have it by now

    # -- called by the client thread too

    def lose(self, partitions: Sequence[int]) -> None:
        """These are lost: nothing can be committed for them any more."""
        if partitions:
            self._notify(self._listener.lost, partitions)
        for partition in partitions:
            self.owned.pop(partition, None)

    def assign(self, partition: int, position: Position) -> None:
        """Our listener owns the partition from here on."""
        self.fresh.discard(partition)
        self._epoch += 1
        topic_id = internals.topic_id(self.consumer, self._topic)
        self.owned[partition] = OwnedPartition(position.offset, self._epoch, topic_id)
        self._notify(self._listener.assigned, partition, position)
        self._notify(setattr, self, "known_epoch", self._epoch)

    def tell_removed(self, partition: int, removed: range, *, was_committed: bool) -> None:
        """The topic has removed these records unread."""
        self._notify(self._listener.removed, partition, removed, was_committed)

    def recreated(self) -> list[int]:
        """Returns partitions whose topic was deleted and created again: what we know of them says nothing about its records."""
        now = internals.topic_id(self.consumer, self._topic)
        return [number for number, owned in self.owned.items() if now and owned.topic_id not in (None, now)]

    def _notify(self, what: Callable[..., None], *arguments: Any) -> None:
        """Has the event loop call `what`, after everything that it was told before."""
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(what, *arguments)

    # -- commits, on the I/O thread

    async def commit(self, positions: Mapping[int, Position], epoch: int, bound: float) -> bool:
        """Commits those of owned partitions that do not go back: the brokers would take any. Returns whether all are owned.

        `epoch`: the newest one that the positions know of. Waits for a commit that is under way, so that none overtakes another.
        Raises what `KafkaConsumer.commit` would; `bound` is in seconds.
        """
        while self._committing is not None:
            await self._committing
        self._committing = over = Future()
        try:
            same = (None, internals.topic_id(self.consumer, self._topic))
            owned = {n: found for n, found in self.owned.copy().items() if found.epoch <= epoch and found.topic_id in same}
            ours = {p: positions[p] for p in positions.keys() & owned.keys() if positions[p].offset >= owned[p].committed}
            if ours:
                await internals.commit_in_listener(self.consumer, _offsets(self._topic, ours), bound)
            for partition, position in ours.items():
                owned[partition].committed = position.offset
            return positions.keys() <= owned.keys()
        finally:
            self._committing = None
            over.success(None)

    # -- giving back

    async def _drain(self, partitions: Sequence[int]) -> Mapping[int, Position]:
        try:
            revoked = self._listener.revoked(partitions)
            return await internals.run_in_event_loop(self.consumer, self._loop, revoked, self._drain_bound)
        except KafkaTimeoutError:
            log.error("partitions were not released in time: they count as lost", partitions=partitions)
            self.lose(partitions)
        except Exception as error:  # noqa: BLE001  the client thread raises it
            self.failure = error
        return {}

    async def _commit_last(self, positions: Mapping[int, Position]) -> None:
        try:
            await self.commit(positions, self._epoch, _COMMIT_BOUND)
        except KafkaError as error:
            log.warning("the last positions could not be committed: events since then come again", reason=reason(error))


def _offsets(topic: str, positions: Mapping[int, Position]) -> dict[TopicPartition, OffsetAndMetadata]:
    return {
        TopicPartition(topic, partition): OffsetAndMetadata(position.offset, position.metadata, -1)
        for partition, position in positions.items()
    }
