"""The idempotent producer, one page at a time. Blocks.

It never recovers from a failed or unanswered send by itself, and what "failed" may be in the topic all the same. So after any
error it has to be thrown away, and whoever makes a new one reads the topic's tail first.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

from shared import failpoints
from shared.event import Event
from shared.record import MAX_RECORD, headers_of, key_of
from shared.settings import TransportSettings
from shared.transport.kafka.client.clients import build
from shared.transport.kafka.client.internals import QuietProducer, abandon

#: Seconds. A broker that is away for less than the first is ridden out by the client itself. The second, longer one bounds a
#: whole page; it stays below what the poller may stay away from its group.
DELIVERY: Final = 30.0
PAGE_BOUND: Final = 35.0
_METADATA_BOUND: Final = 10.0
#: Milliseconds that a record waits for others of its partition, so that a page goes out as one batch a partition.
_LINGER: Final = 5
_BATCH: Final = 256 * 1024


class PageProducer:
    """Raises `TransportUnusable` when the client cannot be made."""

    def __init__(self, settings: TransportSettings) -> None:
        self._producer = build(
            QuietProducer,
            settings,
            acks="all",
            enable_idempotence=True,
            compression_type="gzip",
            max_request_size=MAX_RECORD,
            delivery_timeout_ms=round(DELIVERY * 1000),
            max_block_ms=round(_METADATA_BOUND * 1000),
            linger_ms=_LINGER,
            batch_size=_BATCH,
        )

    def send(self, topic: str, events: Sequence[Event]) -> list[tuple[int, int]]:
        """Send all and wait for every acknowledgement: partition and offset of each.

        Raises `KafkaError`, and ValueError for a topic that is gone; then nothing is known about any of them.
        """
        deadline = time.monotonic() + PAGE_BOUND
        futures = [self._producer.send(topic, event.raw, key_of(event), headers_of(event)) for event in events]
        answers = [_answer(future, deadline) for future in futures]
        return [(answer.partition, answer.offset) for answer in answers]

    def write(self, topic: str, key: bytes, value: bytes) -> int:
        """One record, acknowledged: its offset. Raises like `send`."""
        offset: int = _answer(self._producer.send(topic, value, key), time.monotonic() + PAGE_BOUND).offset
        return offset

    def discard(self) -> None:
        """End it at once; nothing is written any more once this returns. Also the way to close one that has nothing to send."""
        abandon(self._producer)


def _answer(future: Any, deadline: float) -> Any:
    answer = future.get(max(0.001, deadline - time.monotonic()))
    failpoints.at("record-acknowledged")
    return answer
