"""Reads the batches that our producer writes at a third of the library's cost: straight from the bytes into our `Record`.

It subclasses the library's own reader, which still does everything else with batches. Anything unusual (another compression, an
older format, a control batch, damage) goes back to it from that batch on, so that every error is the library's own. A test
compares the two. With any other version of the library than the compared one it stays off.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import Any, Final

import kafka
from kafka import KafkaConsumer
from kafka.consumer.fetcher import Fetcher
from kafka.protocol.consumer import IsolationLevel
from kafka.record.default_records import DefaultRecordBatch
from kafka.structs import TopicPartition

from shared.record import Record
from shared.transport.port import PartitionRecords

VERSION: Final = "3.0.12"
_GZIP: Final = 31  # as zlib's `wbits`
#: Bytes up to which the size that gzip states is believed: only a hint for the buffer.
_SIZE_HINT_MOST: Final = 1 << 24


class Unsupported(Exception):
    """Not what our producer writes."""


def use_in(consumer: KafkaConsumer) -> None:
    """To be called before the first poll of `consumer`. Its records are ours then, except those of unusual batches."""
    if kafka.__version__ == VERSION:
        consumer._fetcher.PartitionRecords = FastRecords  # noqa: SLF001


class FastRecords(Fetcher.PartitionRecords):  # type: ignore[misc]  # the client library is not typed
    """One partition's part of a fetch."""

    def _unpack_records(
        self, tp: TopicPartition, records: Any, key_deserializer: object, value_deserializer: object
    ) -> Iterator[Record | Any]:
        plain = key_deserializer is None and value_deserializer is None
        if not plain or self.isolation_level != IsolationLevel.READ_UNCOMMITTED:
            yield from super()._unpack_records(tp, records, key_deserializer, value_deserializer)
            return
        last = None
        while (batch := records.next_batch()) is not None:
            try:
                found, size = self._read(batch)
            except (Unsupported, IndexError, ValueError, zlib.error):
                yield from super()._unpack_records(tp, _Remaining(batch, records), None, None)
                return
            last, self.leader_epoch = batch, batch.leader_epoch
            self.records_read += len(found)
            self.bytes_read += size
            for record in found:
                self.next_fetch_offset = record.offset + 1
                yield record
        if last is not None:
            self.next_fetch_offset = last.next_offset  # compaction may have removed its last records
        self.drain()

    def _read(self, batch: Any) -> tuple[list[Record], int]:
        if batch.magic != 2 or batch.is_control_batch or (self.check_crcs and not batch.validate_crc()):
            raise Unsupported
        return records_in(batch)


class _Remaining:
    """A batch that was taken already, and those after it."""

    def __init__(self, first: Any, others: Any) -> None:
        self._first = first
        self._others = others

    def next_batch(self) -> Any:
        first, self._first = self._first, None
        return first or self._others.next_batch()


def partition_records(partition: TopicPartition, records: Sequence[Any]) -> PartitionRecords:
    """Returns them as our own records, also those that the library made."""
    return PartitionRecords(partition.partition, [record if type(record) is Record else record_of(record) for record in records])


def record_of(record: Any) -> Record:
    """Headers of other programs may lack a value."""
    headers = [(name, value or b"") for name, value in record.headers]
    return Record(record.offset, record.key, record.value, headers, record.timestamp / 1000)


def records_in(batch: DefaultRecordBatch) -> tuple[list[Record], int]:
    """Returns the records of a batch, and their size as the library counts it.

    Raises `Unsupported`, IndexError, ValueError or `zlib.error`.
    """
    buffer = _uncompressed(batch)
    base, first, latest = batch.base_offset, batch.first_timestamp, batch.max_timestamp
    appended, position, size = batch.timestamp_type == batch.LOG_APPEND_TIME, 0, 0
    found = []
    # One loop that calls a function only for numbers of several bytes: one call per field would cost more than all its work.
    # Numbers are zigzag: an odd one is negative, which for a length means null.
    for _ in range(batch.records_count):
        number, position = buffer[position], position + 1
        if number > 127:
            number, position = _more(buffer, position, number)
        if number & 1:
            raise Unsupported
        size += number >> 1
        end = position + (number >> 1)
        if buffer[position]:  # attributes, which the format does not define yet
            raise Unsupported
        number, position = buffer[position + 1], position + 2
        if number > 127:
            number, position = _more(buffer, position, number)
        timestamp = latest if appended else first + ((number >> 1) ^ -(number & 1))
        number, position = buffer[position], position + 1
        if number > 127:
            number, position = _more(buffer, position, number)
        offset = base + ((number >> 1) ^ -(number & 1))
        number, position = buffer[position], position + 1
        if number > 127:
            number, position = _more(buffer, position, number)
        key = value = None
        if not number & 1:
            start, position = position, position + (number >> 1)
            key = buffer[start:position]
        number, position = buffer[position], position + 1
        if number > 127:
            number, position = _more(buffer, position, number)
        if not number & 1:
            start, position = position, position + (number >> 1)
            value = buffer[start:position]
        left, position = buffer[position], position + 1
        headers: list[tuple[str, bytes]] = []
        if left > 127 or left & 1:
            raise Unsupported
        while left:
            left -= 2
            number = buffer[position]
            if number > 127 or number & 1:
                raise Unsupported
            start, position = position + 1, position + 1 + (number >> 1)
            name = buffer[start:position].decode()
            number, position = buffer[position], position + 1
            if number > 127:
                number, position = _more(buffer, position, number)
            if number & 1:
                raise Unsupported
            start, position = position, position + (number >> 1)
            headers.append((name, buffer[start:position]))
        if position != end:
            raise Unsupported
        found.append(Record(offset, key, value, headers, timestamp / 1000))
    if position != len(buffer):
        raise Unsupported
    return found, size


def _uncompressed(batch: DefaultRecordBatch) -> bytes:
    buffer = batch._buffer  # noqa: SLF001
    body = memoryview(buffer)[batch.HEADER_STRUCT.size :]
    match batch.compression_type:
        case batch.CODEC_NONE:
            return bytes(body)
        case batch.CODEC_GZIP:
            # Its last four bytes state its size, so that it is written into one buffer once.
            hint = int.from_bytes(buffer[-4:], "little")
            return zlib.decompress(body, _GZIP, min(hint, _SIZE_HINT_MOST) or 1)
        case _:
            raise Unsupported


def _more(buffer: bytes, position: int, number: int) -> tuple[int, int]:
    """Returns a number of several bytes, of which `number` is the first, and where it ends."""
    number, shift = number & 127, 7
    while True:
        byte, position = buffer[position], position + 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, position
        shift += 7
        if shift > 63:
            raise Unsupported
