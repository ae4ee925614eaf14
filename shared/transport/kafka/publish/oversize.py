"""Events that are too large for the topic. They are gaps: each is reported by id, size and hash, and the checkpoint passes it.

A record that the brokers refuse kills an idempotent producer, so the size is compared before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from shared.event import Event
from shared.logging import get_logger
from shared.record import MAX_RECORD, headers_of, key_of
from shared.settings import TransportSettings
from shared.transport.kafka.topics.sizes import max_message_bytes, packed_room, plain_size, room

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
    record = (key_of(event), event.raw, headers_of(event))
    return room(*record) <= bound or (plain_size(*record) <= MAX_RECORD and packed_room(*record) <= bound)


def bound_of(settings: TransportSettings) -> int:
    """The topic's max.message.bytes; without the right to see it, what our own topics have."""
    return max_message_bytes(settings, settings.topic)
