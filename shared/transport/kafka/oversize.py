"""Events that are too large for the topic. They are gaps: each is reported by id, size and hash, and the checkpoint passes it.

A record that the brokers refuse kills an idempotent producer, so the size is compared before. What counts there is the compressed
size, which is only found out for the few that are larger than the bound as they are.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Sequence
from typing import Final

from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError
from kafka.record.default_records import DefaultRecordBatchBuilder

from shared.errors import TransportUnusable
from shared.event import Event
from shared.log import get_logger
from shared.record import MAX_RECORD, headers_of, key_of
from shared.settings import Log
from shared.transport.kafka.connection import administrator

#: For the batch around a record, and for what compression adds to what it cannot make smaller (0.03 %).
_AROUND: Final = 512
_GROWTH: Final = 1.001

log = get_logger(__name__)


class Oversize:
    """`bound`: the topic's max.message.bytes."""

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._reported: set[str] = set()
        self._refused: set[str] = set()

    def without(self, events: Sequence[Event]) -> list[Event]:
        """Those that fit; the others are reported, once each."""
        return [event for event in events if self._passes(event)]

    def refused(self, event: Event) -> None:
        """The brokers did not take it, although it seemed to fit: it counts as too large from now on."""
        self._refused.add(event.log_id)

    def _passes(self, event: Event) -> bool:
        if event.log_id not in self._refused and fits(event, self._bound):
            return True
        if event.log_id not in self._reported:
            self._reported.add(event.log_id)
            log.error(
                "gap: event too large for the topic, it is left out; Auth0 still has it (GET /api/v2/logs/{id})",
                log_id=event.log_id,
                size=len(event.raw),
                sha256=hashlib.sha256(event.raw).hexdigest(),
                max_message_bytes=self._bound,
                type=event.type,
                date=event.date,
            )
        return False


def fits(event: Event, bound: int) -> bool:
    size = DefaultRecordBatchBuilder.estimate_size_in_bytes(key_of(event), event.raw, headers_of(event))
    if size * _GROWTH + _AROUND <= bound:
        return True
    rest = size - len(event.raw)
    return bool(size <= MAX_RECORD and len(gzip.compress(event.raw)) + rest + _AROUND <= bound)


def bound_of(settings: Log) -> int:
    """The topic's max.message.bytes; without the right to see it, what our own topics have."""
    resource = ConfigResource(ConfigResourceType.TOPIC, settings.topic, ["max.message.bytes"])
    try:
        with administrator(settings) as admin:
            answer = admin.describe_configs([resource], config_filter="all")
    except (KafkaError, TransportUnusable):
        return MAX_RECORD
    found = answer.get("topic", {}).get(settings.topic, {}).get("max.message.bytes")
    return int(found["value"]) if found else MAX_RECORD
