"""Reads topics outside of any group. Everything here blocks, for `BOUND` at most without progress."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from kafka import KafkaConsumer
from kafka.errors import KafkaTimeoutError, UnknownTopicOrPartitionError
from kafka.structs import TopicPartition

from shared.errors import Transient, TransportUnusable
from shared.settings import TransportSettings
from shared.transport.kafka.client import internals
from shared.transport.kafka.client.clients import BUILD_BOUND, build
from shared.transport.kafka.client.errors import Access, translated

#: Seconds for each question to the brokers.
BOUND: Final = 10.0
_POLL_MS: Final = 50
#: Of a fetch without records.
_FETCH_WAIT_MS: Final = 20


Place = tuple[int, int]  # partition, offset


class Unreachable(Transient):
    """No client can be made at the moment."""


@dataclass(frozen=True, slots=True)
class Extent:
    #: The oldest offset still there.
    begin: int
    #: The offset that the next record gets.
    end: int


def new_reader(settings: TransportSettings, *, bound: float = BUILD_BOUND) -> KafkaConsumer:
    """To be closed with `internals.close`. Raises `TransportUnusable`."""
    return build(
        KafkaConsumer,
        settings,
        bound=bound,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="none",
        fetch_max_wait_ms=_FETCH_WAIT_MS,
    )


@contextmanager
def reader(settings: TransportSettings) -> Iterator[KafkaConsumer]:
    """Raises `Unreachable`."""
    try:
        consumer = new_reader(settings)
    except TransportUnusable as error:
        raise Unreachable(str(error)) from error
    try:
        yield consumer
    finally:
        internals.close(consumer, 1.0)


@contextmanager
def reading(settings: TransportSettings, topic: str, doing: str) -> Iterator[KafkaConsumer]:
    """A `reader` of one topic where every failure is final. `doing` as for `translated`. Raises `TransportUnusable`."""
    try:
        with translated(settings, doing, Access("READ", f"topic {topic}")), reader(settings) as consumer:
            yield consumer
    except Unreachable as error:
        raise TransportUnusable(str(error)) from error


def extents(consumer: KafkaConsumer, topic: str) -> dict[int, Extent]:
    """Returns the extent of every partition. Raises `KafkaError`, which names the topic where no response comes."""
    found = internals.partitions(consumer, topic, BOUND)
    if not found:
        raise UnknownTopicOrPartitionError(f"topic {topic} is not there, or not readable")
    partitions = [TopicPartition(topic, number) for number in sorted(found)]
    try:
        begins = consumer.beginning_offsets(partitions, timeout_ms=BOUND * 1000)
        ends = consumer.end_offsets(partitions, timeout_ms=BOUND * 1000)
    except KafkaTimeoutError as error:
        # The library's own text names neither the topic nor what to look at.
        raise KafkaTimeoutError(
            f"the brokers did not say within {BOUND:g} s where '{topic}' ends: a partition has no leader, or a new one waits "
            "for replicas. Look at the cluster's replicas and at min.insync.replicas"
        ) from error
    return {partition.partition: Extent(begins[partition], ends[partition]) for partition in partitions}


def read(consumer: KafkaConsumer, partition: TopicPartition, begin: int, end: int) -> Iterator[Any]:
    """Yields the library's records of [begin, end), as far as they are still there. Raises `KafkaError`."""
    if begin >= end:
        return
    consumer.assign([partition])
    consumer.seek(partition, begin)
    position, moved = begin, time.monotonic()
    # By position, not by the last record: compaction leaves holes, also at the end, and positions move over them.
    while position < end:
        records = consumer.poll(_POLL_MS).get(partition, ())
        yield from (record for record in records if record.offset < end)
        before, position = position, consumer.position(partition, timeout_ms=BOUND * 1000)
        moved = time.monotonic() if position > before else moved
        if time.monotonic() - moved > BOUND:
            raise KafkaTimeoutError(f"{partition.topic}-{partition.partition}: nothing comes from offset {position} on, of {end}")


def log_ids(consumer: KafkaConsumer, partition: TopicPartition, begin: int, end: int) -> Iterator[tuple[str, Place]]:
    """Yields the log id and the place of each record of [begin, end) that has one. Raises `KafkaError`."""
    for record in read(consumer, partition, begin, end):
        log_id = dict(record.headers).get("log-id")
        if log_id:
            yield log_id.decode("ascii", "backslashreplace"), (partition.partition, record.offset)


def probe(consumer: KafkaConsumer, partition: TopicPartition, offset: int, bound: float = BOUND) -> None:
    """Fetches once from an offset, which may be the end: so a missing right to read is an error now, not only at a record.

    Raises `KafkaError`.
    """
    consumer.assign([partition])
    consumer.seek(partition, offset)
    deadline = time.monotonic() + bound
    while consumer.highwater(partition) is None:
        consumer.poll(_POLL_MS)
        if time.monotonic() > deadline:
            raise KafkaTimeoutError(f"{partition.topic}-{partition.partition} cannot be read: no response within {bound:g} s")
