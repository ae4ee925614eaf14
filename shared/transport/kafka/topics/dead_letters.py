"""Dead letters in their compacted topic, by log id; a tombstone removes one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from kafka import KafkaConsumer
from kafka.structs import TopicPartition

from shared.documents import dead_letter as documents
from shared.errors import PublishFailed, RecordInvalid, TransportUnusable
from shared.logging import get_logger
from shared.settings import TransportSettings
from shared.transport.kafka.client.thread import ClientThread
from shared.transport.kafka.topics.producer import Writer
from shared.transport.kafka.topics.reader import extents, read, reading
from shared.transport.kafka.topics.topics import verify
from shared.transport.port import DeadLetter, DeadLetters

#: Of the topic; one alone keeps all letters in order.
_PARTITION: Final = 0

log = get_logger(__name__)


class KafkaDeadLetters(DeadLetters):
    def __init__(self, archive: Archive, thread: ClientThread) -> None:
        self._archive = archive
        self._thread = thread

    async def put(self, letter: DeadLetter) -> None:
        await self._thread.run(self._archive.put, letter)

    async def all(self) -> Sequence[DeadLetter]:
        return await self._thread.run(self._archive.all)

    async def retry(self, letter: DeadLetter) -> bool:
        await self._thread.run(self._archive.retry, letter)
        return True

    async def remove(self, log_id: str) -> None:
        await self._thread.run(self._archive.remove, log_id)

    async def close(self) -> None:
        await self._thread.end(self._archive.close)


class Archive:
    """What happens in the client thread."""

    def __init__(self, settings: TransportSettings) -> None:
        self._settings = settings
        self._topic = settings.dead_topic
        self._writer = Writer(settings)
        self._may_publish = False
        #: Below this offset lies nothing that others wrote and we have not seen.
        self._seen = 0

    def put(self, letter: DeadLetter) -> None:
        """Raises `PublishFailed`."""
        self._write(_key(letter.log_id), documents.dump(letter))

    def remove(self, log_id: str) -> None:
        """Raises `PublishFailed`."""
        self._write(_key(log_id), None)

    def retry(self, letter: DeadLetter) -> None:
        """Raises `PublishFailed`."""
        self._check_events()
        record = letter.record
        self._writer.write(self._settings.topic, record.key, record.value, record.headers)
        key = _key(letter.log_id)
        unseen = self._write(key, None)
        # The event may have been refused again, and its new letter stand before our tombstone: hidden, it would be in no place.
        if unseen and (newer := self._newer(letter, key, unseen)) is not None:
            self._write(key, newer)

    def all(self) -> Sequence[DeadLetter]:
        """Raises `TransportUnusable`."""
        with reading(self._settings, self._topic, "reading the dead letters") as consumer:
            newest = self._newest(consumer)
        return sorted(self._readable(newest), key=lambda letter: (letter.time, letter.log_id))

    def close(self) -> None:
        self._writer.close()

    def _write(self, key: bytes, value: bytes | None) -> range:
        """Returns the offsets before it that others wrote and we have not seen. Raises `PublishFailed`."""
        offset = self._writer.write(self._topic, key, value)
        unseen, self._seen = range(self._seen, offset), offset + 1
        return unseen

    def _newer(self, letter: DeadLetter, key: bytes, unseen: range) -> bytes | None:
        """The newest other letter of this key among these. Raises `PublishFailed`."""
        try:
            with reading(self._settings, self._topic, "reading the dead letters") as consumer:
                begin = max(unseen.start, extents(consumer, self._topic)[_PARTITION].begin)
                found = list(read(consumer, TopicPartition(self._topic, _PARTITION), begin, unseen.stop))
        except TransportUnusable as error:
            raise PublishFailed(str(error)) from error
        values = [record.value for record in found if record.key == key]
        return values[-1] if values and values[-1] != documents.dump(letter) else None

    def _check_events(self) -> None:
        """Once: a client that publishes to a topic that is not there can bring it about, with one partition and no retention."""
        if not self._may_publish:
            try:
                verify(self._settings, (self._settings.topic,))
            except TransportUnusable as error:
                raise PublishFailed(str(error)) from error
            self._may_publish = True

    def _newest(self, consumer: KafkaConsumer) -> dict[bytes | None, Any]:
        """The last record of every key; a tombstone leaves none."""
        extent = extents(consumer, self._topic)[_PARTITION]
        self._seen = extent.end
        newest: dict[bytes | None, Any] = {}
        for record in read(consumer, TopicPartition(self._topic, _PARTITION), extent.begin, extent.end):
            newest[record.key] = record
            if record.value is None:
                del newest[record.key]
        return newest

    def _readable(self, newest: dict[bytes | None, Any]) -> Iterator[DeadLetter]:
        for key, record in newest.items():
            try:
                yield _letter(key, record.value)
            except RecordInvalid as error:
                where = f"{self._topic}-{_PARTITION}@{record.offset}"
                log.warning("a dead letter cannot be read and is left out", at=where, reason=str(error))


def _letter(key: bytes | None, value: bytes) -> DeadLetter:
    letter = documents.parse(value)
    if _key(letter.log_id) != key:
        raise RecordInvalid("its key is not its log id, so it could never be removed")
    return letter


def _key(log_id: str) -> bytes:
    return log_id.encode("utf-8", "surrogatepass")
