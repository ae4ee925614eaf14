"""The idempotent producer, one page at a time, and the events that are too large for it. Blocks.

The producer never recovers from a failed or unanswered send by itself, and a "failed" record may be in the topic all the same. So
after any error discard it, and read the end of the topic before the next one is made. A record that the brokers reject as too
large is such an error too, so the size is compared before.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from typing import Any, Final

from kafka.errors import MessageSizeTooLargeError

from shared import failpoints
from shared.event import Event
from shared.logging import get_logger
from shared.record import MAX_RECORD, headers_of, key_of
from shared.settings import TransportSettings
from shared.transport.kafka.client.clients import idempotent_producer
from shared.transport.kafka.client.internals import abandon, without_linger
from shared.transport.kafka.publish.page_batches import send_page
from shared.transport.kafka.topics.sizes import packed_room, plain_size, room

#: Seconds. A broker that is away for less than the first is waited for by the client itself. The second, longer one bounds a
#: whole page; it stays below the time that the poller may stay away from its group.
DELIVERY: Final = 30.0
PAGE_BOUND: Final = 35.0
#: Milliseconds that a record waits for others of its page: one batch a partition, which goes out at the last one.
_LINGER: Final = 100
_BATCH: Final = 256 * 1024

#: A record is at most so many times its value, and some bytes.
_MOST_TIMES: Final = 4
_BESIDE: Final = 4096

log = get_logger(__name__)


class PageProducer:
    """Raises `TransportUnusable` when the client cannot be made."""

    def __init__(self, settings: TransportSettings) -> None:
        self._producer = idempotent_producer(
            settings, delivery=DELIVERY, max_request_size=MAX_RECORD, linger_ms=_LINGER, batch_size=_BATCH
        )

    def send(self, topic: str, events: Sequence[Event]) -> list[tuple[int, int]]:
        """Sends all and waits for every acknowledgement. Returns partition and offset of each.

        Raises `KafkaError`, and ValueError for a topic that is gone; then the outcome of all of them is unknown.
        """
        deadline = time.monotonic() + PAGE_BOUND
        for event in events:
            _check_size(event)
        futures = send_page(self._producer, topic, events)
        with without_linger(self._producer):
            acknowledged = [_acknowledgement(future, deadline) for future in futures]
        return [(record.partition, record.offset) for record in acknowledged]

    def write(self, topic: str, key: bytes, value: bytes) -> int:
        """Sends one record and waits for its acknowledgement. Returns its offset. Raises like `send`."""
        with without_linger(self._producer):
            offset: int = _acknowledgement(self._producer.send(topic, value, key), time.monotonic() + PAGE_BOUND).offset
        return offset

    def discard(self) -> None:
        """Ends it at once; nothing is written any more once this returns. Also the way to close one that has nothing to send."""
        abandon(self._producer)


def _acknowledgement(future: Any, deadline: float) -> Any:
    acknowledged = future.get(max(0.001, deadline - time.monotonic()))
    failpoints.at("record-acknowledged")
    return acknowledged


class OversizeFilter:
    """Leaves out events that are too large for the topic, whose max.message.bytes is `bound`.

    They are gaps: each is reported once by id, size and hash, and the checkpoint passes it.
    """

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._reported: set[str] = set()
        self._rejected: set[str] = set()

    def found(self, events: Sequence[Event]) -> list[Event]:
        """Returns those that do not fit."""
        return [event for event in events if not self._fits(event)]

    def without(self, events: Sequence[Event]) -> list[Event]:
        """Returns those that fit."""
        return [event for event in events if self._passes(event)]

    def rejected(self, event: Event) -> None:
        """The brokers did not take it, although it seemed to fit: it counts as too large from now on."""
        self._rejected.add(event.log_id)

    def _fits(self, event: Event) -> bool:
        return event.log_id not in self._rejected and fits(event, self._bound)

    def _passes(self, event: Event) -> bool:
        if self._fits(event):
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


def _check_size(event: Event) -> None:
    """The client compares it, too, but only for records that it is given one by one."""
    if not _surely_fits(event, MAX_RECORD) and plain_size(key_of(event), event.raw, headers_of(event)) > MAX_RECORD:
        raise MessageSizeTooLargeError(f"the record of {event.log_id} is larger than {MAX_RECORD} bytes")


def _surely_fits(event: Event, bound: int) -> bool:
    """Key and headers are parts of the entry: nearly every one is seen to fit without a look at them."""
    return _MOST_TIMES * len(event.raw) + _BESIDE <= bound


def fits(event: Event, bound: int) -> bool:
    if _surely_fits(event, bound):
        return True
    record = (key_of(event), event.raw, headers_of(event))
    return room(*record) <= bound or (plain_size(*record) <= MAX_RECORD and packed_room(*record) <= bound)
