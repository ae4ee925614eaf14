"""Reads the batches that our producer writes at a third of the library's cost: straight from the bytes into our `Record`.

The library's own reader is subclassed, and everything that it does with batches stays. Whatever is out of the ordinary (another
compression, an older format, a control batch, damage) is handed back to it from that batch on, so that every error is the
library's own. A test compares the two. With any other version than the one it was compared with it stays off.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any, Final

import kafka
from kafka import KafkaConsumer
from kafka.consumer.fetcher import Fetcher
from kafka.protocol.consumer import IsolationLevel
from kafka.record.default_records import DefaultRecordBatch
from kafka.structs import TopicPartition

from shared.record import Record

VERSION: Final = "3.0.12"
_GZIP: Final = 31  # zlib's word for it
#: What gzip says about its own size is believed up to this, in bytes: only a hint for the buffer.
_SIZE_HINT_MOST: Final = 1 << 24


class Odd(Exception):
    """Not what our producer writes."""


def use_in(consumer: KafkaConsumer) -> None:
    """Before the first poll of `consumer`. Its records are `shared.record.Record` then, now and then the library's own."""
    if kafka.__version__ == VERSION:
        consumer._fetcher.PartitionRecords = FlatRecords  # noqa: SLF001


class FlatRecords(Fetcher.PartitionRecords):  # type: ignore[misc]  # the client library is not typed
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
            except (Odd, IndexError, ValueError, zlib.error):
                yield from super()._unpack_records(tp, _Rest(batch, records), None, None)
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
            raise Odd
        return records_in(batch)


class _Rest:
    """A batch that was taken already, and those behind it."""

    def __init__(self, first: Any, others: Any) -> None:
        self._first = first
        self._others = others

    def next_batch(self) -> Any:
        first, self._first = self._first, None
        return first or self._others.next_batch()


def records_in(batch: DefaultRecordBatch) -> tuple[list[Record], int]:
    """All records of a batch, and their size as the library counts it. Raises `Odd`, IndexError, ValueError or `zlib.error`."""
    buffer = _body(batch)
    base, first, latest = batch.base_offset, batch.first_timestamp, batch.max_timestamp
    appended, position, size = batch.timestamp_type == batch.LOG_APPEND_TIME, 0, 0
    found = []
    # One loop without calls but for numbers of several bytes: a function a field would cost more than all that it does.
    # Numbers are zigzag: an odd one is negative, which for a length means null.
    for _ in range(batch.records_count):
        number, position = buffer[position], position + 1
        if number > 127:
            number, position = _more(buffer, position, number)
        if number & 1:
            raise Odd
        size += number >> 1
        end = position + (number >> 1)
        if buffer[position]:  # attributes, which nobody has yet
            raise Odd
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
            raise Odd
        while left:
            left -= 2
            number = buffer[position]
            if number > 127 or number & 1:
                raise Odd
            start, position = position + 1, position + 1 + (number >> 1)
            name = buffer[start:position].decode()
            number, position = buffer[position], position + 1
            if number > 127:
                number, position = _more(buffer, position, number)
            if number & 1:
                raise Odd
            start, position = position, position + (number >> 1)
            headers.append((name, buffer[start:position]))
        if position != end:
            raise Odd
        found.append(Record(offset, key, value, headers, timestamp / 1000))
    if position != len(buffer):
        raise Odd
    return found, size


def _body(batch: DefaultRecordBatch) -> bytes:
    buffer = batch._buffer  # noqa: SLF001
    body = memoryview(buffer)[batch.HEADER_STRUCT.size :]
    match batch.compression_type:
        case batch.CODEC_NONE:
            return bytes(body)
        case batch.CODEC_GZIP:
            # Its last four bytes say how long it is, so that it is written into one buffer once.
            hint = int.from_bytes(buffer[-4:], "little")
            return zlib.decompress(body, _GZIP, min(hint, _SIZE_HINT_MOST) or 1)
        case _:
            raise Odd


def _more(buffer: bytes, position: int, number: int) -> tuple[int, int]:
    """The rest of a number whose first byte says that there is more; and where it ends."""
    number, shift = number & 127, 7
    while True:
        byte, position = buffer[position], position + 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, position
        shift += 7
        if shift > 63:
            raise Odd
