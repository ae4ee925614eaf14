"""What the group gives and takes: the rebalance listener of a member's client, and which partitions are ours by now.

The listener runs on the client's I/O thread, only while the worker waits in `poll` or `close`, so these two never use this object
at once. It never raises and never blocks: the library would call it again and again, and stop the heartbeats. Commits are made on
the I/O thread too, at any time, one after the other: only they look at `owned` while the worker may change it.
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
from shared.transport.kafka.group.watchdog import Watchdog
from shared.transport.port import Position, RebalanceListener

_COMMIT_BOUND: Final = 5.0

log = get_logger(__name__)


@dataclass(slots=True)
class _Place:
    """A partition that the listener knows to be ours."""

    #: The offset that is committed.
    committed: int
    #: Which of our beginnings it was.
    begun: int
    #: The id of the topic whose offsets these are; None: not known.
    topic: object


class Membership(AsyncConsumerRebalanceListener):  # type: ignore[misc]  # the client library is not typed
    """`drain_bound`: seconds after which a listener that does not give its partitions back counts as gone."""

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
        #: Partitions that the listener knows to be ours.
        self.owned: dict[int, _Place] = {}
        self._begun = 0
        #: The newest beginning that the listener's loop has heard of. Written there, and read there for each commit: its
        #: positions know nothing of a later beginning, after which the same offsets may be other records.
        self.heard = 0
        #: Assigned partitions that have no position yet. They are paused: the library keeps a position from before.
        self.fresh: set[int] = set()
        #: When the newest assignment came.
        self.since = 0.0
        #: What the listener raised, which it must not; for the worker to raise.
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
        self.since = time.monotonic()
        share = self._assignor.share
        self.tell(self._listener.share, share.calls)
        if not assigned:
            log.info("standing by: this member has no share of the concurrent calls", limit=share.limit)

    async def on_partitions_lost(self, _lost: Collection[TopicPartition]) -> None:
        self._watchdog.waiting(time.monotonic())
        self.fresh.clear()
        self.forfeit(sorted(self.owned))
        self.tell(self._listener.share, 0)  # others may have it by now

    # -- called by the worker too

    def tell(self, what: Callable[..., None], *arguments: Any) -> None:
        """Have the listener's loop call it, after everything that it was told before."""
        with suppress(RuntimeError):  # the loop is closed: nobody is there to hear
            self._loop.call_soon_threadsafe(what, *arguments)

    def forfeit(self, partitions: Sequence[int]) -> None:
        """These are gone, and nothing can be committed for them any more."""
        if partitions:
            self.tell(self._listener.lost, partitions)
        for partition in partitions:
            self.owned.pop(partition, None)

    def begin(self, partition: int, position: Position) -> None:
        """The listener owns the partition from here on."""
        self.fresh.discard(partition)
        self._begun += 1
        self.owned[partition] = _Place(position.offset, self._begun, internals.topic_id(self.consumer, self._topic))
        self.tell(self._listener.assigned, partition, position)
        self.tell(self._hear, self._begun)

    def anew(self) -> list[int]:
        """Those whose topic was deleted and made anew: what we know of them says nothing about the records there are now."""
        now = internals.topic_id(self.consumer, self._topic)
        return [number for number, place in self.owned.items() if now and place.topic not in (None, now)]

    def _hear(self, begun: int) -> None:
        self.heard = begun

    # -- commits, on the I/O thread

    async def commit(self, positions: Mapping[int, Position], heard: int, bound: float) -> bool:
        """Store those of partitions that are ours and that do not go back: the brokers would take any. False: not all are ours.

        Waits for a commit that is under way, so that none overtakes another. Raises what `KafkaConsumer.commit` would; `bound` is
        in seconds.
        """
        while self._committing is not None:
            await self._committing
        self._committing = over = Future()
        try:
            same = (None, internals.topic_id(self.consumer, self._topic))
            owned = self.owned.copy().items()
            places = {number: place for number, place in owned if place.begun <= heard and place.topic in same}
            ours = {p: positions[p] for p in positions.keys() & places.keys() if positions[p].offset >= places[p].committed}
            if ours:
                await internals.commit_in_listener(self.consumer, wire_form(self._topic, ours), bound)
            for partition, position in ours.items():
                places[partition].committed = position.offset
            return positions.keys() <= places.keys()
        finally:
            self._committing = None
            over.success(None)

    # -- giving back

    async def _drain(self, partitions: Sequence[int]) -> Mapping[int, Position]:
        try:
            revoked = self._listener.revoked(partitions)
            return await internals.in_loop(self.consumer, self._loop, revoked, self._drain_bound)
        except KafkaTimeoutError:
            log.error("partitions were not given back in time: they count as lost", partitions=partitions)
            self.forfeit(partitions)
        except Exception as error:  # noqa: BLE001  the worker raises it
            self.failure = error
        return {}

    async def _commit_last(self, positions: Mapping[int, Position]) -> None:
        try:
            await self.commit(positions, self._begun, _COMMIT_BOUND)
        except KafkaError as error:
            log.warning("the last positions could not be committed: events since then come again", reason=reason(error))


def wire_form(topic: str, positions: Mapping[int, Position]) -> dict[TopicPartition, OffsetAndMetadata]:
    return {
        TopicPartition(topic, partition): OffsetAndMetadata(position.offset, position.metadata, -1)
        for partition, position in positions.items()
    }
