"""The newest checkpoint document in its compacted topic of one partition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from kafka import KafkaConsumer
from kafka.structs import TopicPartition

from shared.documents import checkpoint as documents
from shared.transport.kafka.topics.reader import extents, probe, read
from shared.transport.port import Checkpoint

PARTITION: Final = 0
#: Of every document. Compaction keeps the newest record of a key; and the brokers refuse one without.
KEY: Final = b"checkpoint"


@dataclass(frozen=True, slots=True)
class Stored:
    checkpoint: Checkpoint
    #: How far each partition of the topic of events went when it was written; empty where that was not recorded.
    ends: Mapping[int, int]
    #: Its own offset.
    offset: int


def newest(consumer: KafkaConsumer, topic: str) -> Stored | None:
    """None: nothing was ever stored, or it was removed. Raises `KafkaError`, and `TransportUnusable` for a document not ours."""
    record = _newest_record(consumer, topic)
    if record is None or record.value is None:
        return None
    checkpoint, ends = documents.parse(record.value, where=f"{topic}-{PARTITION}@{record.offset}")
    return Stored(checkpoint, ends, record.offset)


def _newest_record(consumer: KafkaConsumer, topic: str) -> Any:
    extent = extents(consumer, topic)[PARTITION]
    partition = TopicPartition(topic, PARTITION)
    # Nearly always the last offset holds it; where that is a hole, the whole topic, which is small, has to be read.
    for begin in (max(extent.begin, extent.end - 1), extent.begin):
        records = list(read(consumer, partition, begin, extent.end))
        if records:
            return records[-1]
    probe(consumer, partition, extent.end)  # of an empty topic nothing was asked for yet, so not for the right to read it either
    return None
