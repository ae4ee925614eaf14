"""A table in a compacted topic of one partition: the newest record of a key is its document, a tombstone deletes it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Final

from kafka import KafkaConsumer
from kafka.errors import KafkaError
from kafka.structs import TopicPartition

from shared.documents import dead_letter as documents
from shared.errors import PublishFailed, TransportUnusable
from shared.settings import TransportSettings
from shared.transport.kafka.client import internals
from shared.transport.kafka.client.errors import Access, translated
from shared.transport.kafka.client.thread import ClientThread
from shared.transport.kafka.topics.producer import RecordProducer
from shared.transport.kafka.topics.reader import BOUND, new_reader, probe, read
from shared.transport.kafka.topics.topics import verify
from shared.transport.port import DeadLetter, Row, Table

PARTITION: Final = 0
#: Bytes of documents that a scan holds at a time.
_STRETCH: Final = 4 << 20


class KafkaTable(Table):
    def __init__(self, table: BlockingTable, thread: ClientThread) -> None:
        self._table = table
        self._thread = thread

    async def put(self, key: str, document: bytes) -> None:
        await self._thread.run(self._table.write, _bytes(key), document)

    async def delete(self, key: str) -> None:
        await self._thread.run(self._table.write, _bytes(key), None)

    async def scan(self) -> AsyncIterator[Row]:
        """In two passes, since the topic holds older documents too: an index of the newest offsets, then the records there."""
        index, end = await self._thread.run(self._table.index, 0)
        while index:
            position = min(index.values())
            while index and position < end:
                rows, position = await self._thread.run(self._table.take, index, position, end)
                for row in rows:
                    yield row
            # What is left was compacted since the first pass: that pass ended before a newer record of the same key.
            newer, end = await self._thread.run(self._table.index, end) if index else ({}, end)
            index = {key: offset for key, offset in newer.items() if key in index}

    async def keys(self) -> Collection[str]:
        index, _ = await self._thread.run(self._table.index, 0)
        return [_text(key) for key in index]

    async def snapshot(self) -> Mapping[str, bytes]:
        documents = await self._thread.run(self._table.snapshot)
        return {_text(key): document for key, document in documents.items()}

    async def close(self) -> None:
        await self._thread.end(self._table.close)


class BlockingTable:
    """What happens in the client thread. The clients are kept open; after an error the next call makes new ones.

    `bound`: seconds to make a client, and for each question where the topic begins and ends.
    """

    def __init__(self, settings: TransportSettings, topic: str, *, bound: float) -> None:
        self._settings = settings
        self._partition = TopicPartition(topic, PARTITION)
        self._bound = bound
        self._producer = RecordProducer(settings)
        self._consumer: KafkaConsumer | None = None
        #: The client was allowed to read.
        self._probed = False
        #: Of the snapshots: the next offset to read, and the newest documents below it. Both belong to the client.
        self._position = 0
        self._documents: dict[bytes, bytes] = {}

    def write(self, key: bytes, document: bytes | None) -> int:
        """Returns the offset. Raises `PublishFailed`."""
        return self._producer.write(self._partition.topic, key, document)

    def end(self) -> int:
        """Returns the offset that the next record gets. Raises `TransportUnusable`."""
        with self._reading() as consumer:
            return self._end(consumer)

    def index(self, begin: int) -> tuple[dict[bytes, int], int]:
        """Returns the offset of the newest record of each key from `begin` on, without deleted keys, and the topic's end.

        Raises `TransportUnusable`.
        """
        index: dict[bytes, int] = {}
        with self._reading() as consumer:
            self._probe(consumer)
            end = self._end(consumer)
            for record in read(consumer, self._partition, max(begin, self._begin(consumer)), end):
                if record.value is None:
                    index.pop(record.key, None)
                elif record.key is not None:
                    index[record.key] = record.offset
        return index, end

    def take(self, index: dict[bytes, int], begin: int, end: int) -> tuple[list[Row], int]:
        """Reads the next records of the index in [begin, end), and removes them from it. Returns them, and where to go on.

        Raises `TransportUnusable`.
        """
        rows: list[Row] = []
        size = 0
        with self._reading() as consumer:
            for record in read(consumer, self._partition, begin, end):
                if index.get(record.key) == record.offset:
                    del index[record.key]
                    rows.append(Row(_text(record.key), record.value, f"{self._partition.topic}-{PARTITION}@{record.offset}"))
                    size += len(record.value)
                    if size > _STRETCH:
                        return rows, record.offset + 1
        return rows, end

    def last(self, key: bytes, begin: int, end: int) -> bytes | None:
        """Returns the last document of the key in [begin, end). Raises `TransportUnusable`."""
        found = None
        with self._reading() as consumer:
            for record in read(consumer, self._partition, begin, end):
                found = record.value if record.key == key else found
        return found

    def snapshot(self) -> Mapping[bytes, bytes]:
        """Returns the document of each key; fetches only what is new since the snapshot before. Raises `TransportUnusable`."""
        with self._reading() as consumer:
            self._probe(consumer)
            end = self._end(consumer)
            if end < self._position:  # the topic was created again
                self._position, self._documents = 0, {}
            if end > self._position:
                for record in read(consumer, self._partition, max(self._position, self._begin(consumer)), end):
                    if record.value is None:
                        self._documents.pop(record.key, None)
                    elif record.key is not None:
                        self._documents[record.key] = record.value
                self._position = end
        return dict(self._documents)

    def close(self) -> None:
        """Idempotent."""
        self._producer.close()
        self._close_consumer()

    @contextmanager
    def _reading(self) -> Iterator[KafkaConsumer]:
        topic = self._partition.topic
        try:
            with translated(self._settings, f"reading topic {topic}", Access("READ", f"topic {topic}")):
                yield self._consumer or self._open()
        except BaseException:
            self._close_consumer()
            raise

    def _open(self) -> KafkaConsumer:
        self._probed, self._position, self._documents = False, 0, {}
        self._consumer = new_reader(self._settings, bound=self._bound)
        return self._consumer

    def _probe(self, consumer: KafkaConsumer) -> None:
        """Once for each client: an empty topic would hide that the right to read it is missing."""
        if not self._probed:
            probe(consumer, self._partition, self._begin(consumer), self._bound)
            self._probed = True

    def _begin(self, consumer: KafkaConsumer) -> int:
        begin: int = consumer.beginning_offsets([self._partition], timeout_ms=self._bound * 1000)[self._partition]
        return begin

    def _end(self, consumer: KafkaConsumer) -> int:
        end: int = consumer.end_offsets([self._partition], timeout_ms=self._bound * 1000)[self._partition]
        return end

    def _close_consumer(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            with suppress(KafkaError):
                internals.close(consumer, 1.0)


class BlockingDeadLetters(BlockingTable):
    """The table of dead letters, and their retry."""

    def __init__(self, settings: TransportSettings) -> None:
        super().__init__(settings, settings.dead_topic, bound=BOUND)
        #: The topic of events exists: publishing to a missing one can create it, with one partition and without our retention.
        self._verified = False
        #: The dead letters below this offset are older than the newest retry.
        self._seen: int | None = None

    def retry(self, dead_letter: DeadLetter) -> None:
        """Raises `PublishFailed`."""
        try:
            if not self._verified:
                verify(self._settings, (self._settings.topic,))
                self._verified = True
            if self._seen is None:
                self._seen = self.end()
            self._send(dead_letter, self._seen)
        except TransportUnusable as error:
            raise PublishFailed(str(error)) from error

    def _send(self, dead_letter: DeadLetter, seen: int) -> None:
        record, key = dead_letter.record, _bytes(dead_letter.log_id)
        self._producer.write(self._settings.topic, record.key, record.value, record.headers)
        offset = self.write(key, None)
        self._seen = offset + 1
        # Trap: a consumer may already have written a new dead letter of this event before our tombstone, which would delete it,
        # and the event would be lost.
        newer = self.last(key, seen, offset)
        if newer is not None and newer != documents.dump(dead_letter):
            self.write(key, newer)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(key: bytes) -> str:
    try:
        return key.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return key.decode("utf-8", "backslashreplace")
