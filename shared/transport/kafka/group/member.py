"""One member of the group of consumers: `KafkaMember` in the event loop, `BlockingMember` in the thread that owns its client.

Commits have a thread of their own, which only waits: a poll may take a tenth of a second, and what is done meanwhile would be
repeated after a crash. The commit itself is made on the client's I/O thread, as the one in the rebalance listener is.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from math import inf
from typing import Final

from kafka import KafkaConsumer
from kafka.errors import (
    CommitFailedError,
    CorruptRecordError,
    KafkaError,
    LogTruncationError,
    NoOffsetForPartitionError,
    OffsetMetadataTooLargeError,
    OffsetOutOfRangeError,
    RebalanceInProgressError,
)
from kafka.structs import TopicPartition

from shared import failpoints
from shared.errors import TransportUnusable
from shared.logging import get_logger
from shared.settings import KAFKA_DRAIN_BOUND, TransportSettings
from shared.transport.kafka.client import internals
from shared.transport.kafka.client.errors import reason
from shared.transport.kafka.client.thread import ClientThread
from shared.transport.kafka.group import offsets
from shared.transport.kafka.group.assignor import SharingAssignor
from shared.transport.kafka.group.client import Fetched, GroupClient, new_watchdog
from shared.transport.kafka.group.fast_records import partition_records
from shared.transport.kafka.group.offsets import StartPosition, StartReason
from shared.transport.kafka.group.rebalance import Membership
from shared.transport.port import Member, PartitionRecords, Position, RebalanceListener

_COMMIT_BOUND: Final = 3.0  # seconds
#: The drain itself, and a moment for breaking off what is left. With the commit after it still shorter than a member may stay
#: away from `poll` (`MAX_POLL_INTERVAL`): else the group would take the partitions in the middle of it.
_DRAIN_BOUND: Final = KAFKA_DRAIN_BOUND + 3
#: Milliseconds that a fetch with nothing to bring waits at the broker. Longer saves CPU (200: 1.0 % of an idle core, 100: 2 %),
#: but a resumed partition waits for the one that is under way.
_FETCH_WAIT: Final = 200
#: Seconds until a damaged partition is read again: each time costs the whole group a rebalance.
DAMAGED_AGAIN: Final = 60.0
#: In the text of the library's error, which carries it nowhere else.
_PARTITION: Final = re.compile(r"partition=(\d+)\)")

log = get_logger(__name__)


class KafkaMember(Member):
    def __init__(self, member: BlockingMember, thread: ClientThread) -> None:
        self._member = member
        self._thread = thread
        self._commits = ClientThread("kafka-commits")
        self._polling: asyncio.Future[Sequence[PartitionRecords]] | None = None
        self._closed = False

    @property
    def session(self) -> float:
        # Shrinks while the group is silent: a poll succeeds in an outage too, and brings nothing.
        return self._member.session_left

    async def poll(self, *, wait: float, limit: int, paused: Collection[int]) -> Sequence[PartitionRecords]:
        # A cancelled poll goes on in the thread, and its records come from nowhere else: the next poll continues it.
        if self._polling is None:
            self._polling = asyncio.ensure_future(self._thread.run(self._member.poll, wait, limit, frozenset(paused)))
        try:
            batches = await asyncio.shield(self._polling)
        except Exception:
            self._polling = None
            raise
        self._polling = None
        return batches

    async def commit(self, positions: Mapping[int, Position]) -> bool:
        return await self._commits.run(self._member.commit, dict(positions), self._member.known_epoch)

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._polling is not None:
            with suppress(TransportUnusable):
                await self._polling
        try:
            await self._thread.run(self._member.close)
        finally:
            self._thread.stop()
            self._commits.stop()


class BlockingMember:
    """Joins with its first polls; `loop` is the event loop of `listener`."""

    def __init__(
        self, settings: TransportSettings, listener: RebalanceListener, loop: asyncio.AbstractEventLoop, *, concurrent_calls: int
    ) -> None:
        self._topic = settings.topic
        self._session = settings.session_timeout
        #: Partitions with a damaged batch, and until when each is held.
        self._damaged: dict[int, float] = {}
        #: Until when, by `time.monotonic`, the group cannot have given our partitions to another member.
        self._sure_until = time.monotonic() + self._session
        #: When the group last confirmed our membership.
        self._confirmed = -inf
        self._watchdog = new_watchdog(settings)
        assignor = SharingAssignor(concurrent_calls)
        self._membership = Membership(
            topic=settings.topic,
            assignor=assignor,
            watchdog=self._watchdog,
            listener=listener,
            loop=loop,
            drain_bound=_DRAIN_BOUND,
        )
        self._client = GroupClient(
            settings,
            group=settings.group,
            topic=settings.topic,
            assignor=assignor,
            listener=self._membership,
            watchdog=self._watchdog,
            auto_offset_reset="none",  # an offset reset is ours to decide, and is logged
            fetch_max_wait_ms=_FETCH_WAIT,
        )

    def open(self) -> None:
        """Makes the client. Raises `TransportUnusable`."""
        self._client.open()

    def poll(self, wait: float, limit: int, paused: Collection[int]) -> Sequence[PartitionRecords]:
        """Raises `TransportUnusable`, and whatever the listener raised."""
        fetched: Fetched = {}
        self._pause(paused)
        try:
            fetched = self._client.poll(wait, limit)
        except NoOffsetForPartitionError:
            pass  # a fresh partition that nothing was committed for
        except OffsetOutOfRangeError as error:
            self._reset({partition: Position(offset) for partition, offset in error.args[0].items()})
        except CorruptRecordError as error:
            self._hold_damaged(error)
        except LogTruncationError as error:
            log.error("the cluster lost records that were read already (unclean election): going back", reason=reason(error))
            self._reset({p: Position(found.offset) if found else None for p, found in error.divergent_offsets.items()})
        if self._membership.failure is not None:
            raise self._membership.failure
        if recreated := self._partitions(self._membership.recreated()):
            log.error("the topic was deleted and created again: reading it from its oldest record", topic=self._topic)
            fetched = {}
            self._reset(dict.fromkeys(recreated))
        self._position_fresh(paused)
        self._client.proven = self._client.proven or self._served()
        now = time.monotonic()
        self._confirmed = heard_at(self._confirmed, *internals.heartbeats(self._consumer))
        left = session_left(assigned=self._membership.assigned_at, heard=self._confirmed, session=self._session, now=now)
        self._sure_until = now + left
        return [partition_records(partition, records) for partition, records in fetched.items()]

    @property
    def session_left(self) -> float:
        """Seconds from now on, for the event loop: a process can be frozen between the end of `poll` and its result."""
        return max(0.0, self._sure_until - time.monotonic())

    @property
    def known_epoch(self) -> int:
        """To be read in the event loop, and given to `commit` with the positions of that moment."""
        return self._membership.known_epoch

    def commit(self, positions: Mapping[int, Position], epoch: int) -> bool:
        """Returns whether all of them are stored. One that lies below what is stored already counts as stored.

        For a thread of its own, beside `poll` and `close`.
        """
        if not self._membership.owned:
            return not positions
        failpoints.at("inside-commit")
        return self._store(positions, epoch) and positions.keys() <= self._membership.owned.keys()

    def close(self) -> None:
        self._client.close()
        self._membership.lose(sorted(self._membership.owned))

    @property
    def _consumer(self) -> KafkaConsumer:
        return self._membership.consumer

    def _pause(self, paused: Collection[int]) -> None:
        """Brings the client's pauses in line, by difference: each change costs a prefetched batch its place."""
        now = time.monotonic()
        self._damaged = {partition: until for partition, until in self._damaged.items() if until > now}
        wanted = set(self._partitions({*paused, *self._membership.fresh, *self._damaged}))
        before = self._consumer.paused()
        self._consumer.pause(*(wanted - before))
        self._consumer.resume(*(before - wanted))
        internals.release_resumed(self._consumer)

    def _position_fresh(self, paused: Collection[int]) -> None:
        """Gives fresh partitions their position. Until that worked they stay paused; the next poll tries again."""
        fresh = self._partitions(self._membership.fresh)
        if not fresh:
            return
        try:
            starts = offsets.committed(self._consumer, fresh)
        except KafkaError as error:
            self._client.handle(error)
            return
        for partition, start in starts.items():
            failpoints.at("before-seek")
            self._consumer.seek(partition, start.offset)
            self._membership.assign(partition.partition, start.position)
            self._tell_removed(partition, start)
        self._pause(paused)

    def _hold_damaged(self, error: CorruptRecordError) -> None:
        """Holds the damaged partition for a while, so that a new client reads the others first."""
        log.error("a batch of records is damaged: its partition is held, and read again with a new client", reason=reason(error))
        found = _PARTITION.search(str(error))
        if found:
            self._damaged[int(found[1])] = time.monotonic() + DAMAGED_AGAIN
        self._client.close()

    def _reset(self, wanted: Mapping[TopicPartition, Position | None]) -> None:
        """Goes on elsewhere. Forward, the listener only sees a hole; backward, the partition is lost and assigned again."""
        try:
            starts = offsets.reset(self._consumer, wanted)
        except KafkaError as error:
            self._client.handle(error)
            return
        for partition, start in starts.items():
            self._consumer.seek(partition, start.offset)
            if start.reason is not StartReason.RETENTION:
                self._membership.lose([partition.partition])
                self._membership.assign(partition.partition, start.position)
            self._tell_removed(partition, start)

    def _tell_removed(self, partition: TopicPartition, start: StartPosition) -> None:
        if start.removed:
            was_committed = start.reason is StartReason.RETENTION
            self._membership.tell_removed(partition.partition, start.removed, was_committed=was_committed)

    def _store(self, positions: Mapping[int, Position], epoch: int) -> bool:
        try:
            return internals.run_in_io_thread(self._consumer, self._membership.commit, positions, epoch, _COMMIT_BOUND)
        except OffsetMetadataTooLargeError:
            log.warning("the brokers refuse the metadata of a position (offset.metadata.max.bytes): committing it without")
            return self._store({partition: Position(position.offset) for partition, position in positions.items()}, epoch)
        except (RebalanceInProgressError, CommitFailedError) as error:
            log.info("positions not committed: the group is rebalancing, or went on without this member", reason=reason(error))
            return False
        except KafkaError as error:
            self._client.handle(error)
            return False

    def _served(self) -> bool:
        """Returns whether the group gave us an assignment and, if there is something in it, a broker responded to a fetch."""
        owned = self._partitions(self._membership.owned)
        return self._watchdog.assigned and (not owned or any(self._consumer.highwater(p) is not None for p in owned))

    def _partitions(self, numbers: Collection[int]) -> list[TopicPartition]:
        """Returns those that the client still counts as assigned: it raises for any other."""
        return [partition for partition in self._consumer.assignment() if partition.partition in numbers]


def heard_at(before: float, sent: float, confirmed: float) -> float:
    """Returns from when on the group counts our session: when the newest confirmed heartbeat was sent, not when we read that.

    A process that stood still reads an old confirmation when it wakes. `before`: the former result, for while one is under way.
    """
    return sent if confirmed >= sent else before


def session_left(*, assigned: float, heard: float, session: float, now: float) -> float:
    """Returns the seconds from `now` on for which the group cannot have given our partitions to another member.

    `assigned`: when the newest assignment came; `heard`: when the group last confirmed our membership. Counted from there and not
    from our own polls: those succeed in an outage too.
    """
    return max(0.0, max(assigned, heard) + session - now)
