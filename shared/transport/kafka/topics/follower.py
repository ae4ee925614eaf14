"""Keeps up with a compacted topic of one partition: the newest value of every key. Blocks, for a few seconds at most.

One client is kept open. Most looks only ask where the topic ends: nothing is fetched until there is something new.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from kafka import KafkaConsumer
from kafka.errors import KafkaError, KafkaTimeoutError
from kafka.structs import TopicPartition

from shared.settings import TransportSettings
from shared.transport.kafka.client import internals
from shared.transport.kafka.client.clients import build
from shared.transport.kafka.client.errors import Access, translated
from shared.transport.kafka.topics.reader import read

#: Seconds for each question to the brokers.
BOUND: Final = 3.0
_POLL_MS: Final = 50
#: Of a fetch that has nothing to bring.
_FETCH_WAIT_MS: Final = 20


class Follower:
    def __init__(self, settings: TransportSettings, topic: str) -> None:
        self._settings = settings
        self._partition = TopicPartition(topic, 0)
        self._consumer: KafkaConsumer | None = None
        #: The next offset to read, and what the records below it come to; both belong to the client.
        self._position = 0
        self._newest: dict[bytes, bytes] = {}

    def look(self) -> Mapping[bytes, bytes]:
        """What is there now, by key. Raises `TransportUnusable`; the next look then starts anew, with a new client."""
        topic = self._partition.topic
        try:
            with translated(self._settings, f"reading topic {topic}", Access("READ", f"topic {topic}")):
                self._catch_up(self._consumer or self._open())
        except BaseException:
            self.close()
            raise
        return dict(self._newest)

    def close(self) -> None:
        """Idempotent."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            with suppress(KafkaError):
                internals.close(consumer, 1.0)

    def _open(self) -> KafkaConsumer:
        consumer = self._consumer = build(
            KafkaConsumer,
            self._settings,
            bound=BOUND,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            fetch_max_wait_ms=_FETCH_WAIT_MS,
        )
        self._start_over(consumer)
        self._prove(consumer)
        return consumer

    def _start_over(self, consumer: KafkaConsumer) -> None:
        self._newest = {}
        self._position = consumer.beginning_offsets([self._partition], timeout_ms=BOUND * 1000)[self._partition]

    def _prove(self, consumer: KafkaConsumer) -> None:
        """One fetch: else a missing right to read would be silent until there is something to read."""
        consumer.assign([self._partition])
        consumer.seek(self._partition, self._position)
        deadline = time.monotonic() + BOUND
        while consumer.highwater(self._partition) is None:
            consumer.poll(_POLL_MS)
            if time.monotonic() > deadline:
                raise KafkaTimeoutError(f"no answer within {BOUND:g} s")

    def _catch_up(self, consumer: KafkaConsumer) -> None:
        end = consumer.end_offsets([self._partition], timeout_ms=BOUND * 1000)[self._partition]
        if end < self._position:  # the topic was made anew
            self._start_over(consumer)
        if end > self._position:
            for record in read(consumer, self._partition, self._position, end):
                self._take(record.key, record.value)
            self._position = end

    def _take(self, key: bytes | None, value: bytes | None) -> None:
        if key is None:
            return
        if value is None:
            self._newest.pop(key, None)
        else:
            self._newest[key] = value
