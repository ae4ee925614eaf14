"""How large a record is to the brokers, and how large a topic lets it be.

A record that the brokers refuse for its size kills an idempotent producer, so the size is compared before. What counts there is
the compressed size, which is only worth finding out for the few that are too large as they are.
"""

from __future__ import annotations

import gzip
from typing import Final

from kafka.admin import ConfigResource, ConfigResourceType
from kafka.record.default_records import DefaultRecordBatchBuilder

from shared.errors import TransportUnreachable, TransportUnusable
from shared.record import Headers
from shared.settings import TransportSettings
from shared.transport.kafka.client.clients import administrator
from shared.transport.kafka.client.errors import Access, translated
from shared.transport.kafka.topics.layout import shapes

#: For the batch around a record, and for what compression adds to what it cannot make smaller (0.03 %).
_AROUND: Final = 512
_GROWTH: Final = 1.001
#: Of a topic that nobody gave a bound: what brokers come with.
_BROKERS_OWN: Final = 1024 * 1024 + 12


def plain_size(key: bytes | None, value: bytes | None, headers: Headers) -> int:
    """Bytes, uncompressed."""
    size: int = DefaultRecordBatchBuilder.estimate_size_in_bytes(key, value, headers)
    return size


def room(key: bytes | None, value: bytes | None, headers: Headers) -> int:
    """The max.message.bytes that takes the record in any case."""
    return int(plain_size(key, value, headers) * _GROWTH) + _AROUND


def packed_room(key: bytes | None, value: bytes | None, headers: Headers) -> int:
    """The same once it is compressed."""
    value = value or b""
    return plain_size(key, value, headers) - len(value) + len(gzip.compress(value)) + _AROUND


def max_message_bytes(settings: TransportSettings, topic: str) -> int:
    """Of one of our topics; what it should be, without the right to see what it is. Blocks. Raises `TransportUnreachable`."""
    resource = ConfigResource(ConfigResourceType.TOPIC, topic, ["max.message.bytes"])
    access = Access("DESCRIBE_CONFIGS", f"topic {topic}")
    try:
        with administrator(settings) as admin, translated(settings, "asking for topic configurations", access):
            answer = admin.describe_configs([resource], config_filter="all")
    except TransportUnreachable:
        raise  # a guess that is too small would leave events out
    except TransportUnusable:
        answer = {}
    found = answer.get("topic", {}).get(topic, {}).get("max.message.bytes")
    return int(found["value"]) if found else _ours(settings, topic)


def _ours(settings: TransportSettings, topic: str) -> int:
    (shape,) = [shape for shape in shapes(settings) if shape.name == topic]
    return int(shape.configs.get("max.message.bytes", _BROKERS_OWN))
