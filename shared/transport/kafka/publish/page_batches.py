"""Hands a page to the library's producer as whole batches, for a third of what `KafkaProducer.send` costs for each record.

`send` validates, measures and hashes every record in plain Python, wakes the sender for each partition, and locks twice. Here the
library's own batch of each partition is filled first and then given to its accumulator. All that matters stays the library's:
sequence numbers, retries, splits, time limits, and a future for each record. A test compares the two. With any other version of
the library than the compared one `send` is used.
"""

from __future__ import annotations

import struct
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final

import kafka
from kafka import KafkaProducer
from kafka.structs import TopicPartition

from shared.event import Event
from shared.record import headers_of, key_of
from shared.transport.kafka.client.internals import enqueue

VERSION: Final = "3.0.12"

_MASK: Final = 0xFFFFFFFF
_SEED: Final = 0x9747B28C
_FACTOR: Final = 0x5BD1E995


def send_page(producer: KafkaProducer, topic: str, events: Sequence[Event]) -> list[Any]:
    """Returns a future of the library for each event, partition by partition; the events of a partition keep their order.

    What was sent waits for `linger_ms`. Raises what `KafkaProducer.send` raises while the topic's partitions are unknown.
    """
    if kafka.__version__ != VERSION:
        return [producer.send(topic, event.raw, key_of(event), headers_of(event)) for event in events]
    now = int(time.time() * 1000)
    partitions = sorted(producer.partitions_for(topic))
    futures: list[Any] = []
    for number, part in _by_partition(events, partitions).items():
        records = [(now, key, event.raw, headers_of(event)) for key, event in part]
        futures += enqueue(producer, TopicPartition(topic, number), records)
    return futures


def partition_of(key: bytes, partitions: Sequence[int]) -> int:
    """Returns where every Kafka client puts this key: one of `partitions`, which are all of the topic's, in order."""
    return partitions[(_murmur2(key) & 0x7FFFFFFF) % len(partitions)]


def _by_partition(events: Iterable[Event], partitions: Sequence[int]) -> dict[int, list[tuple[bytes, Event]]]:
    found: dict[int, list[tuple[bytes, Event]]] = defaultdict(list)
    for event in events:
        key = key_of(event)
        found[partition_of(key, partitions)].append((key, event))
    return found


def _murmur2(data: bytes) -> int:
    """The library's function, word by word instead of byte by byte."""
    length = len(data)
    whole = length & ~3
    state = _SEED ^ length
    for word in struct.unpack_from(f"<{whole >> 2}I", data):
        mixed = word * _FACTOR & _MASK
        state = (state * _FACTOR ^ (mixed ^ mixed >> 24) * _FACTOR) & _MASK
    if whole != length:
        state = (state ^ int.from_bytes(data[whole:], "little")) * _FACTOR & _MASK
    state = (state ^ state >> 13) * _FACTOR & _MASK
    return state ^ state >> 15
