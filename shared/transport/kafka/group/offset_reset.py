"""Asks Kafka where partitions begin, end and were committed, and says aloud wherever reading does not go on from there."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from kafka import KafkaConsumer
from kafka.structs import TopicPartition

from shared.logging import get_logger
from shared.transport.kafka.group.positions import Start, Why, start
from shared.transport.port import Position

_BOUND: Final = 3_000  # milliseconds for one question

log = get_logger(__name__)


def committed(consumer: KafkaConsumer, partitions: Collection[TopicPartition]) -> dict[TopicPartition, Start]:
    """Where to begin with partitions that were just assigned. Raises `KafkaError`."""
    return _starts(consumer, {partition: _committed(consumer, partition) for partition in partitions})


def instead(consumer: KafkaConsumer, wanted: Mapping[TopicPartition, Position | None]) -> dict[TopicPartition, Start]:
    """Where to go on with partitions whose position is not there any more (None: not known). Raises `KafkaError`."""
    return _starts(consumer, wanted)


def _committed(consumer: KafkaConsumer, partition: TopicPartition) -> Position | None:
    found = consumer.committed(partition, metadata=True, timeout_ms=_BOUND)
    return Position(found.offset, found.metadata or "") if found is not None else None


def _starts(consumer: KafkaConsumer, wanted: Mapping[TopicPartition, Position | None]) -> dict[TopicPartition, Start]:
    begins = consumer.beginning_offsets(list(wanted), timeout_ms=_BOUND)
    ends = consumer.end_offsets(list(wanted), timeout_ms=_BOUND)
    starts = {partition: start(wanted[partition], begin=begins[partition], end=ends[partition]) for partition in wanted}
    _say_none_committed({p: ends[p] - begins[p] for p, found in starts.items() if found.why is Why.NONE_COMMITTED})
    for partition, found in starts.items():
        _say_lost(partition, wanted[partition], found)
    return starts


def _say_none_committed(records: Mapping[TopicPartition, int]) -> None:
    """`records`: how many there are. One line for all: in a new group it is every partition."""
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


def _say_lost(partition: TopicPartition, wanted: Position | None, found: Start) -> None:
    where = {"topic": partition.topic, "partition": partition.partition, "offset": found.offset}
    if found.why is Why.RETENTION and wanted:
        log.error(
            "gap: records were removed before they were delivered (retention.ms of the topic)",
            **where,
            first_lost=wanted.offset,
            last_lost=found.offset - 1,
        )
    if found.why is Why.BEYOND_END and wanted:
        log.error(
            "the position lies behind the end of the partition: the topic was made anew or the cluster lost records; "
            "starting at the oldest record",
            **where,
            position=wanted.offset,
        )
