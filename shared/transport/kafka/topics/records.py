"""Reads the topic of events outside of any group: for people who look, not for delivery."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from kafka import KafkaConsumer
from kafka.errors import KafkaError
from kafka.structs import TopicPartition

from shared.record import Record
from shared.settings import TransportSettings
from shared.transport.kafka.client import internals
from shared.transport.kafka.client.errors import Access, translated
from shared.transport.kafka.client.thread import ClientThread
from shared.transport.kafka.group.fast_records import record_of, use_in
from shared.transport.kafka.topics.reader import BOUND, extents, new_reader, probe, read
from shared.transport.port import STRETCH_BYTES, STRETCH_RECORDS, Reader, size_of


class KafkaReader(Reader):
    def __init__(self, reader: BlockingReader, thread: ClientThread) -> None:
        self._reader = reader
        self._thread = thread

    async def offsets(self) -> Mapping[int, range]:
        return await self._thread.run(self._reader.offsets)

    async def offsets_since(self, moment: float) -> Mapping[int, int]:
        return await self._thread.run(self._reader.offsets_since, moment)

    async def read(self, partition: int, offsets: range) -> AsyncIterator[Sequence[Record]]:
        position = offsets.start
        while position < offsets.stop:
            records, position = await self._thread.run(self._reader.stretch, partition, range(position, offsets.stop))
            if records:
                yield records

    async def close(self) -> None:
        await self._thread.end(self._reader.close)


class BlockingReader:
    """What happens in the client thread. The client is kept open; after an error the next call makes a new one."""

    def __init__(self, settings: TransportSettings) -> None:
        self._settings = settings
        self._consumer: KafkaConsumer | None = None
        #: What the last stretch was taken from, and what comes after it.
        self._source: Iterator[Any] | None = None
        self._next: tuple[TopicPartition, range] | None = None

    def offsets(self) -> Mapping[int, range]:
        with self._reading() as consumer:
            found = extents(consumer, self._settings.topic)
        return {number: range(extent.begin, extent.end) for number, extent in found.items()}

    def offsets_since(self, moment: float) -> Mapping[int, int]:
        with self._reading() as consumer:
            now = extents(consumer, self._settings.topic)
            wanted = {self._partition(number): max(0, round(moment * 1000)) for number in now}
            found = consumer.offsets_for_times(wanted, timeout_ms=BOUND * 1000)
        return {at.partition: at_time.offset if at_time else now[at.partition].end for at, at_time in found.items()}

    def stretch(self, partition: int, offsets: range) -> tuple[list[Record], int]:
        """Returns the first records, as many as one stretch has room for, and the offset to go on from."""
        records: list[Record] = []
        size, at = 0, self._partition(partition)
        with self._reading() as consumer:
            for found in self._going_on(consumer, at, offsets):
                records.append(record := found if type(found) is Record else record_of(found))
                size += size_of(record)
                if len(records) == STRETCH_RECORDS or size > STRETCH_BYTES:
                    self._next = at, range(record.offset + 1, offsets.stop)
                    return records, record.offset + 1
        self._source = None
        return records, offsets.stop

    def _going_on(self, consumer: KafkaConsumer, at: TopicPartition, offsets: range) -> Iterator[Any]:
        """Returns what follows the stretch before, if this is it: a new seek would throw away what is fetched already."""
        if self._source is None or self._next != (at, offsets):
            begin: int = consumer.beginning_offsets([at], timeout_ms=BOUND * 1000)[at]
            self._source = read(consumer, at, max(offsets.start, begin), offsets.stop)
        return self._source

    def close(self) -> None:
        """Idempotent."""
        consumer, self._consumer, self._source = self._consumer, None, None
        if consumer is not None:
            with suppress(KafkaError):
                internals.close(consumer, 1.0)

    def _partition(self, number: int) -> TopicPartition:
        return TopicPartition(self._settings.topic, number)

    @contextmanager
    def _reading(self) -> Iterator[KafkaConsumer]:
        topic = self._settings.topic
        try:
            with translated(self._settings, f"reading topic {topic}", Access("READ", f"topic {topic}")):
                yield self._consumer or self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> KafkaConsumer:
        consumer = self._consumer = new_reader(self._settings)
        use_in(consumer)
        number, extent = next(iter(extents(consumer, self._settings.topic).items()))
        probe(consumer, self._partition(number), extent.end)  # an empty topic would hide that the right to read it is missing
        return consumer
