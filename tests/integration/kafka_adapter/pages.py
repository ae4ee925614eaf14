"""What these tests publish, and how they look at what is in the topic."""

from __future__ import annotations

from collections import Counter

from kafka.structs import TopicPartition

from shared.settings import TransportSettings
from shared.transport.kafka.topics.reader import extents, read, reader
from shared.transport.kafka.transport import KafkaTransport
from shared.transport.port import Publisher
from tests.contract.harness import checkpoint_of, events


async def leading(settings: TransportSettings) -> Publisher:
    publisher = await KafkaTransport(settings).publisher()
    await publisher.acquire()
    return publisher


async def fill(settings: TransportSettings, count: int, size: int = 100) -> list[str]:
    """Publishes events 0..count-1. Returns their log ids."""
    publisher = await leading(settings)
    for first in range(0, count, size):
        page = events(first, min(first + size, count))
        await publisher.publish(page, checkpoint_of(page))
    await publisher.close()
    return ids(0, count)


def ids(first: int, last: int) -> list[str]:
    return [event.log_id for event in events(first, last)]


def in_topic(settings: TransportSettings) -> Counter[str]:
    """Returns how often each log id is there."""
    found: Counter[str] = Counter()
    with reader(settings) as consumer:
        for partition, extent in extents(consumer, settings.topic).items():
            records = read(consumer, TopicPartition(settings.topic, partition), extent.begin, extent.end)
            found.update(dict(record.headers)["log-id"].decode() for record in records)
    return found


def once(log_ids: list[str]) -> Counter[str]:
    return Counter(dict.fromkeys(log_ids, 1))
