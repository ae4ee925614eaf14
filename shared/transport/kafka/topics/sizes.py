"""How large a record is to the brokers, and how large a record of a topic may be.

An idempotent producer does not survive a record that the brokers reject for its size, so compare before. The compressed size
counts, which is worth computing only for the few records that are too large uncompressed.
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

#: For the batch around a record, and for what compression adds to incompressible bytes (0.03 %).
_AROUND: Final = 512
_GROWTH: Final = 1.001
#: The brokers' default.
_DEFAULT: Final = 1024 * 1024 + 12


def plain_size(key: bytes | None, value: bytes | None, headers: Headers) -> int:
    """Returns bytes, uncompressed."""
    size: int = DefaultRecordBatchBuilder.estimate_size_in_bytes(key, value, headers)
    return size


def room(key: bytes | None, value: bytes | None, headers: Headers) -> int:
    """Returns a max.message.bytes that suffices for the record in any case."""
    return int(plain_size(key, value, headers) * _GROWTH) + _AROUND


def packed_room(key: bytes | None, value: bytes | None, headers: Headers) -> int:
    """Returns a max.message.bytes that suffices for the compressed record."""
    value = value or b""
    return plain_size(key, value, headers) - len(value) + len(gzip.compress(value)) + _AROUND


def max_message_bytes(settings: TransportSettings, topic: str) -> int:
    """Returns the bound of one of our topics; without the right to read it, what it should be. Blocks.

    Raises `TransportUnreachable`.
    """
    resource = ConfigResource(ConfigResourceType.TOPIC, topic, ["max.message.bytes"])
    access = Access("DESCRIBE_CONFIGS", f"topic {topic}")
    try:
        with administrator(settings) as admin, translated(settings, "asking for topic configurations", access):
            response = admin.describe_configs([resource], config_filter="all")
    except TransportUnreachable:
        raise  # a guess that is too small would leave events out, for good
    except TransportUnusable:
        response = {}
    found = response.get("topic", {}).get(topic, {}).get("max.message.bytes")
    return int(found["value"]) if found else _ours(settings, topic)


def _ours(settings: TransportSettings, topic: str) -> int:
    (shape,) = [shape for shape in shapes(settings) if shape.name == topic]
    return int(shape.configs.get("max.message.bytes", _DEFAULT))
