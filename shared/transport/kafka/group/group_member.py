"""One member of the group of consumers, as its client thread sees it: poll, positions, commits."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Collection, Mapping, Sequence
from math import inf
from typing import Any, Final

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
from shared.logging import get_logger
from shared.record import Record
from shared.settings import TransportSettings
from shared.settings.loop import KAFKA_DRAIN_BOUND
from shared.transport.kafka.client import internals
from shared.transport.kafka.client.errors import reason
from shared.transport.kafka.group import offset_reset
from shared.transport.kafka.group.assignor import SharingAssignor
from shared.transport.kafka.group.client import Fetched, GroupClient, new_watchdog
from shared.transport.kafka.group.positions import Why
from shared.transport.kafka.group.rebalance import Membership
from shared.transport.port import PartitionRecords, Position, RebalanceListener

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


class GroupMember:
    """Joins with its first polls; `loop` is the listener's."""

    def __init__(
        self, settings: TransportSettings, listener: RebalanceListener, loop: asyncio.AbstractEventLoop, *, concurrent_calls: int
    ) -> None:
        self._topic = settings.topic
        self._session = settings.session_timeout
        #: Partitions with a damaged batch, and until when each is held.
        self._aside: dict[int, float] = {}
        #: Until when, by `time.monotonic`, the group cannot have given our partitions to somebody else.
        self._sure_until = time.monotonic() + self._session
        #: When the group was last heard.
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
            auto_offset_reset="none",  # where there is no position, we say so and decide
            fetch_max_wait_ms=_FETCH_WAIT,
        )

    def open(self) -> None:
        """Make the client. Raises `TransportUnusable`."""
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
            self._move({partition: Position(offset) for partition, offset in error.args[0].items()})
        except CorruptRecordError as error:
            self._set_aside(error)
        except LogTruncationError as error:
            log.error("the cluster lost records that were read already (unclean election): going back", reason=reason(error))
            self._move({p: Position(found.offset) if found else None for p, found in error.divergent_offsets.items()})
        if self._membership.failure is not None:
            raise self._membership.failure
        if anew := self._partitions(self._membership.anew()):
            log.error("the topic was deleted and made anew: reading it from its oldest record", topic=self._topic)
            fetched = {}
            self._move(dict.fromkeys(anew))
        self._begin(paused)
        self._client.proven = self._client.proven or self._answered()
        now = time.monotonic()
        self._confirmed = heard_at(self._confirmed, *internals.heartbeats(self._consumer))
        self._sure_until = now + sure_for(assigned=self._membership.since, heard=self._confirmed, session=self._session, now=now)
        return [batch_of(partition, records) for partition, records in fetched.items()]

    @property
    def sure_for(self) -> float:
        """Seconds from now on, for the listener's loop: a process can be frozen between the end of `poll` and its result."""
        return max(0.0, self._sure_until - time.monotonic())

    @property
    def heard(self) -> int:
        """To be read in the listener's loop, and given to `commit` with the positions of that moment."""
        return self._membership.heard

    def commit(self, positions: Mapping[int, Position], heard: int) -> bool:
        """Whether all of them are stored. One that lies below what is stored already counts as stored.

        For a thread of its own, beside `poll` and `close`.
        """
        if not self._membership.owned:
            return not positions
        failpoints.at("inside-commit")
        return self._store(positions, heard) and positions.keys() <= self._membership.owned.keys()

    def close(self) -> None:
        self._client.close()
        self._membership.forfeit(sorted(self._membership.owned))

    @property
    def _consumer(self) -> KafkaConsumer:
        return self._membership.consumer

    def _pause(self, paused: Collection[int]) -> None:
        """Bring the client's pauses in line, by difference: each change costs a prefetched batch's place."""
        now = time.monotonic()
        self._aside = {partition: until for partition, until in self._aside.items() if until > now}
        wanted = set(self._partitions({*paused, *self._membership.fresh, *self._aside}))
        before = self._consumer.paused()
        self._consumer.pause(*(wanted - before))
        self._consumer.resume(*(before - wanted))
        internals.take_up(self._consumer)

    def _begin(self, paused: Collection[int]) -> None:
        """Give fresh partitions their position. Until that worked they stay paused; the next poll tries again."""
        fresh = self._partitions(self._membership.fresh)
        if not fresh:
            return
        try:
            starts = offset_reset.committed(self._consumer, fresh)
        except KafkaError as error:
            self._client.trouble(error)
            return
        for partition, start in starts.items():
            failpoints.at("before-seek")
            self._consumer.seek(partition, start.offset)
            self._membership.begin(partition.partition, start.position)
        self._pause(paused)

    def _set_aside(self, error: CorruptRecordError) -> None:
        """Hold the damaged partition for a while, so that a new client reads the others without stumbling over it at once."""
        log.error("a batch of records is damaged: its partition is held, and read again with a new client", reason=reason(error))
        found = _PARTITION.search(str(error))
        if found:
            self._aside[int(found[1])] = time.monotonic() + DAMAGED_AGAIN
        self._client.close()

    def _move(self, wanted: Mapping[TopicPartition, Position | None]) -> None:
        """Go on elsewhere. Forward the listener only sees a hole; backward it has to begin anew."""
        try:
            starts = offset_reset.instead(self._consumer, wanted)
        except KafkaError as error:
            self._client.trouble(error)
            return
        for partition, start in starts.items():
            self._consumer.seek(partition, start.offset)
            if start.why is not Why.RETENTION:
                self._membership.forfeit([partition.partition])
                self._membership.begin(partition.partition, start.position)

    def _store(self, positions: Mapping[int, Position], heard: int) -> bool:
        try:
            return internals.in_io_thread(self._consumer, self._membership.commit, positions, heard, _COMMIT_BOUND)
        except OffsetMetadataTooLargeError:
            log.warning("the brokers refuse what is remembered beside a position (offset.metadata.max.bytes): storing it without")
            return self._store({partition: Position(position.offset) for partition, position in positions.items()}, heard)
        except (RebalanceInProgressError, CommitFailedError) as error:
            log.info("positions not stored: the group is rebalancing, or went on without this member", reason=reason(error))
            return False
        except KafkaError as error:
            self._client.trouble(error)
            return False

    def _answered(self) -> bool:
        """Whether the group gave us an assignment and, if there is something in it, a broker answered a fetch."""
        owned = self._partitions(self._membership.owned)
        return self._watchdog.assigned and (not owned or any(self._consumer.highwater(p) is not None for p in owned))

    def _partitions(self, numbers: Collection[int]) -> list[TopicPartition]:
        """Those that the client still counts as assigned: it raises for any other."""
        return [partition for partition in self._consumer.assignment() if partition.partition in numbers]


def heard_at(before: float, sent: float, confirmed: float) -> float:
    """From when on the group counts our session: from the newest heartbeat that it confirmed, but not from when we read that.

    A process that stood still reads an old confirmation when it wakes. `before`: the answer before, for while one is under way.
    """
    return sent if confirmed >= sent else before


def sure_for(*, assigned: float, heard: float, session: float, now: float) -> float:
    """Seconds from `now` on for which the group cannot have given our partitions to another member.

    `assigned`: when the newest assignment came; `heard`: when the group last confirmed our membership. Counted from there and not
    from our own polls: those succeed in an outage too.
    """
    return max(0.0, max(assigned, heard) + session - now)


def batch_of(partition: TopicPartition, records: Sequence[Any]) -> PartitionRecords:
    return PartitionRecords(partition.partition, [record if type(record) is Record else _record(record) for record in records])


def _record(record: Any) -> Record:
    """For one that the library made. Other programs' headers may lack a value."""
    headers = [(name, value or b"") for name, value in record.headers]
    return Record(record.offset, record.key, record.value, headers, record.timestamp / 1000)
