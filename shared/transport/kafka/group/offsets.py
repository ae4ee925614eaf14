"""Where partitions are read from: asks Kafka where they begin, end and were committed, and logs every offset reset.

The library would jump silently where a position is missing or out of range; here every jump has a reason that is logged.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from kafka import KafkaConsumer
from kafka.structs import TopicPartition

from shared.logging import get_logger
from shared.transport.port import Position

_BOUND: Final = 3_000  # milliseconds for one request

log = get_logger(__name__)


class StartReason(Enum):
    COMMITTED = auto()
    #: Nothing was ever committed, or it was forgotten (offsets.retention.minutes).
    NONE_COMMITTED = auto()
    #: Records were removed before they were delivered: a gap, from the wanted offset up to the start.
    RETENTION = auto()
    #: The wanted position lies behind the end: the topic was created again, or the cluster lost records.
    BEYOND_END = auto()


@dataclass(frozen=True, slots=True)
class StartPosition:
    position: Position
    reason: StartReason
    #: The offset to read first: the position's, or behind what was removed.
    offset: int

    @property
    def removed(self) -> range:
        """The offsets of records that are gone unread, as far as the group knows; mostly none."""
        match self.reason:
            case StartReason.RETENTION:
                return range(self.position.offset, self.offset)
            case StartReason.NONE_COMMITTED:
                return range(self.offset)
            case _:
                return range(0)


def committed(consumer: KafkaConsumer, partitions: Collection[TopicPartition]) -> dict[TopicPartition, StartPosition]:
    """Returns where to begin with partitions that were just assigned. Raises `KafkaError`."""
    return reset(consumer, {partition: _committed(consumer, partition) for partition in partitions})


def reset(consumer: KafkaConsumer, wanted: Mapping[TopicPartition, Position | None]) -> dict[TopicPartition, StartPosition]:
    """Returns where to go on with partitions whose wanted position may be gone (None: not known). Raises `KafkaError`."""
    begins = consumer.beginning_offsets(list(wanted), timeout_ms=_BOUND)
    ends = consumer.end_offsets(list(wanted), timeout_ms=_BOUND)
    starts = {p: start_position(wanted[p], begin=begins[p], end=ends[p]) for p in wanted}
    _log_none_committed({p: ends[p] - begins[p] for p, found in starts.items() if found.reason is StartReason.NONE_COMMITTED})
    for partition, found in starts.items():
        _log_reset(partition, wanted[partition], found)
    return starts


def start_position(wanted: Position | None, *, begin: int, end: int) -> StartPosition:
    """Pure. `begin`: the oldest offset still there. `end`: the offset that the next record gets."""
    if wanted is None:
        return StartPosition(Position(begin), StartReason.NONE_COMMITTED, begin)
    if wanted.offset < begin:
        # Its metadata still says what is done of what is left, and means nothing beside another offset.
        return StartPosition(wanted, StartReason.RETENTION, begin)
    if wanted.offset > end:
        return StartPosition(Position(begin), StartReason.BEYOND_END, begin)
    return StartPosition(wanted, StartReason.COMMITTED, wanted.offset)


def _committed(consumer: KafkaConsumer, partition: TopicPartition) -> Position | None:
    found = consumer.committed(partition, metadata=True, timeout_ms=_BOUND)
    return Position(found.offset, found.metadata or "") if found is not None else None


def _log_none_committed(records: Mapping[TopicPartition, int]) -> None:
    """`records`: how many each partition holds. One line for all: in a new group it is every partition."""
    if not records:
        return
    sentence = "no committed position: starting at the oldest record"
    if any(records.values()):
        sentence += (
            ". If this group has worked here before, the brokers have forgotten its positions (offsets.retention.minutes), "
            "and what was delivered is delivered again"
        )
    level = log.warning if any(records.values()) else log.info
    level(sentence, partitions=sorted(partition.partition for partition in records), records=sum(records.values()))


def _log_reset(partition: TopicPartition, wanted: Position | None, found: StartPosition) -> None:
    where = {"topic": partition.topic, "partition": partition.partition, "offset": found.offset}
    if found.reason is StartReason.RETENTION and wanted:
        log.error(
            "gap: records were removed before they were delivered (retention.ms of the topic)",
            **where,
            first_lost=wanted.offset,
            last_lost=found.offset - 1,
        )
    if found.reason is StartReason.BEYOND_END and wanted:
        log.error(
            "the position lies behind the end of the partition: the topic was created again or the cluster lost records; "
            "starting at the oldest record",
            **where,
            position=wanted.offset,
        )
