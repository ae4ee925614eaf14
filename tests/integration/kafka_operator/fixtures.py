"""What these tests write, and how they read the topics without our own code."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType

from shared.record import Record
from shared.settings import TransportSettings
from shared.transport.kafka.client.clients import administrator
from shared.transport.kafka.topics.topics import show
from shared.transport.kafka.transport import KafkaTransport
from shared.transport.port import DeadLetter, Table
from tests.contract.harness import DeadLetters


def dead_letters_of(settings: TransportSettings) -> AbstractAsyncContextManager[DeadLetters]:
    return DeadLetters.opened(KafkaTransport(settings))


@asynccontextmanager
async def control_of(settings: TransportSettings) -> AsyncIterator[Table]:
    control = await KafkaTransport(settings).control()
    try:
        yield control
    finally:
        await control.close()


def dead_letter(number: int, value: bytes = b"{}", **more: Any) -> DeadLetter:
    record = Record(offset=number, key=b"user", value=value, headers=[("v", b"1"), ("x", b"\xff")], timestamp=1.0)
    given = {"log_id": f"id-{number}", "attempts": 3, "status": 500, "reason": "no", "time": 1.7e9 + number, **more}
    return DeadLetter(record=record, partition=0, **given)


def configure(settings: TransportSettings, topic: str, **configs: object) -> None:
    given = {name.replace("_", "."): str(value) for name, value in configs.items()}
    _alter(settings, ConfigResource(ConfigResourceType.TOPIC, topic, configs=given))


def clean_at_once(settings: TransportSettings, topic: str) -> None:
    """Makes the broker compact at once, without the usual minutes."""
    _alter(settings, ConfigResource(ConfigResourceType.BROKER, "1", configs={"log.cleaner.backoff.ms": "100"}))
    configure(settings, topic, segment_ms=100, delete_retention_ms=1, segment_jitter_ms=0)


def write(settings: TransportSettings, topic: str, *records: tuple[bytes, bytes | None]) -> list[int]:
    """As another program would; returns the offsets."""
    producer = KafkaProducer(bootstrap_servers=list(settings.bootstrap_servers))
    try:
        sent = [producer.send(topic, value, key) for key, value in records]
        return [future.get(10).offset for future in sent]
    finally:
        producer.close(timeout=1)


def stored(settings: TransportSettings, topic: str) -> list[tuple[int, bytes | None, bytes | None]]:
    """Offset, key and value of every record of partition 0."""
    consumer = KafkaConsumer(bootstrap_servers=list(settings.bootstrap_servers), auto_offset_reset="earliest")
    partition = TopicPartition(topic, 0)
    try:
        consumer.assign([partition])
        end, found = consumer.end_offsets([partition])[partition], []
        while consumer.position(partition) < end:
            found += [(record.offset, record.key, record.value) for record in consumer.poll(100).get(partition, ())]
        return found
    finally:
        consumer.close()


def delete(settings: TransportSettings, topic: str) -> None:
    """Waits until it is gone."""
    with administrator(settings) as admin:
        admin.delete_topics([topic])
    while dict(show(settings))[topic] is not None:
        pass


def _alter(settings: TransportSettings, resource: ConfigResource) -> None:
    with administrator(settings) as admin:
        response: Mapping[str, Mapping[str, str]] = admin.alter_configs([resource])
    assert {outcome for kind in response.values() for outcome in kind.values()} == {"OK"}, response
