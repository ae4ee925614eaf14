"""Our reader of batches against the library's: the same records, the same state, the same errors."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import kafka
import pytest
from crc32c import crc32c
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError
from kafka.record.memory_records import MemoryRecords, MemoryRecordsBuilder
from kafka.structs import TopicPartition

from shared.record import Record
from shared.transport.kafka.group import fast_records
from shared.transport.kafka.group.fast_records import FastRecords, partition_records

PARTITION = TopicPartition("auth0.logs", 3)
NONE, GZIP = 0, 1
Raw = tuple[int, bytes | None, bytes | None, Sequence[tuple[str, bytes | None]]]

blobs = st.one_of(st.none(), st.binary(max_size=80), st.integers(0, 20_000).map(bytes))
headers = st.lists(st.tuples(st.text(max_size=70), blobs), max_size=70)
raws = st.tuples(st.integers(-5, 2**43), blobs, blobs, headers)
batches = st.lists(st.tuples(st.lists(raws, min_size=1, max_size=150), st.sampled_from([NONE, GZIP])), min_size=1, max_size=4)
ours = [("v", b"1"), ("log-id", b"900" + b"0" * 53), ("type", b"s"), ("date", b""), ("tenant", b"acme")]


def _encode(raw: Sequence[Raw], codec: int, base: int) -> bytes:
    builder = MemoryRecordsBuilder(2, codec, 1 << 26)
    for timestamp, key, value, found in raw:
        assert builder.append(timestamp, key, value, found) is not None
    builder.close()
    encoded = bytearray(builder.buffer())
    struct.pack_into(">q", encoded, 0, base)
    return bytes(encoded)


def _fetch(given: Sequence[tuple[Sequence[Raw], int]]) -> bytes:
    data, base = b"", 1000
    for raw, codec in given:
        data += _encode(raw, codec, base)
        base += len(raw) + 7  # a hole
    return data


def _run(kind: Any, data: bytes, begin: int, step: int, *, check: bool = True) -> list[Any]:
    """All that can be seen of it, take by take."""
    part = kind(begin, PARTITION, MemoryRecords(data), check_crcs=check)
    seen: list[Any] = []
    while part:
        try:
            taken = part.take(step)
        except Exception as error:  # noqa: BLE001
            seen.append((type(error), str(error)))
            break
        seen += [_plain(record) for record in taken]
        seen.append((part.next_fetch_offset, part.leader_epoch))
    return [*seen, part.next_fetch_offset]


def _plain(record: Any) -> Record:
    if isinstance(record, Record):
        return record
    return Record(record.offset, record.key, record.value, record.headers, record.timestamp / 1000)


def _same(data: bytes, begin: int = 1000, step: int = 10) -> list[Any]:
    library = _run(Fetcher.PartitionRecords, data, begin, step)
    assert _run(FastRecords, data, begin, step) == library
    return library


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(batches, st.integers(990, 1200), st.integers(1, 200))
def test_it_reads_what_the_library_reads(given: list[tuple[list[Raw], int]], begin: int, step: int) -> None:
    _same(_fetch(given), begin, step)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(raws, min_size=1, max_size=20), st.sampled_from([NONE, GZIP]), st.data())
def test_damage_is_the_library_s_to_report(raw: list[Raw], codec: int, data: st.DataObject) -> None:
    encoded = bytearray(_fetch([(raw, codec)]))
    place = data.draw(st.integers(12, len(encoded) - 1))
    encoded[place] ^= data.draw(st.integers(1, 255))
    _same(bytes(encoded))


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(raws, min_size=1, max_size=20), st.data())
@example([(0, b"k", b"v", [("v", b"1")])], None)
def test_damage_that_passes_the_checksum_too(raw: list[Raw], data: st.DataObject | None) -> None:
    encoded = bytearray(_fetch([(raw, NONE)]))
    if data is not None:
        place = data.draw(st.integers(61, len(encoded) - 1))
        encoded[place] ^= data.draw(st.integers(1, 255))
    struct.pack_into(">I", encoded, 17, crc32c(bytes(encoded[21:])))
    _same(bytes(encoded))


@pytest.mark.parametrize("codec", [NONE, GZIP])
def test_what_our_producer_writes_is_read_without_the_library(codec: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("handed back")

    monkeypatch.setattr(Fetcher.PartitionRecords, "_unpack_records", never)
    data = _fetch([([(1_764_000_000_000 + number, b"auth0|1", b"x" * 1500, ours) for number in range(100)], codec)])
    part = FastRecords(1000, PARTITION, MemoryRecords(data))
    assert len(part.take()) == 100
    assert all(type(record) is Record for record in FastRecords(1000, PARTITION, MemoryRecords(data)).take())


def test_a_header_without_a_value_comes_with_an_empty_one() -> None:
    """As a dead letter keeps it; readers of headers expect bytes."""
    part = FastRecords(1000, PARTITION, MemoryRecords(_fetch([([(5, b"k", b"v", [("type", None)])], NONE)])))
    assert partition_records(PARTITION, part.take()).records == [Record(1000, b"k", b"v", [("type", b"")], 0.005)]


def test_the_log_append_time_is_that_of_the_batch() -> None:
    encoded = bytearray(_fetch([([(5, b"k", b"v", ours), (9, b"k", b"v", ours)], NONE)]))
    encoded[22] |= 8
    struct.pack_into(">I", encoded, 17, crc32c(bytes(encoded[21:])))
    assert [record.timestamp for record in _same(bytes(encoded))[:2]] == [0.009, 0.009]


def test_a_control_batch_is_passed_over() -> None:
    marker = bytearray(_encode([(5, b"\0\0\0\1", b"\0\0\0\0\0\0", [])], NONE, 1000))
    marker[22] |= 0x30
    struct.pack_into(">I", marker, 17, crc32c(bytes(marker[21:])))
    after = _encode([(5, b"k", b"v", ours)], NONE, 1001)
    assert [record.offset for record in _same(bytes(marker) + after) if isinstance(record, Record)] == [1001]


def test_records_of_the_old_format_are_read() -> None:
    builder = MemoryRecordsBuilder(1, NONE, 1 << 20)
    builder.append(5, b"k", b"v", [])
    builder.close()
    assert _same(bytes(builder.buffer()), begin=0)[0].value == b"v"


def test_a_bad_checksum_is_an_error_unless_checks_are_off() -> None:
    encoded = bytearray(_fetch([([(5, b"k", b"v", ours)], NONE)]))
    encoded[17] ^= 1
    assert _same(bytes(encoded))[0][0] is CorruptRecordError
    unchecked = _run(FastRecords, bytes(encoded), 1000, 10, check=False)
    assert unchecked == _run(Fetcher.PartitionRecords, bytes(encoded), 1000, 10, check=False)


def test_the_count_of_bytes_is_the_library_s() -> None:
    data = _fetch([([(5, b"k", b"x" * 1500, ours)] * 30, GZIP)])
    parts = [kind(1000, PARTITION, MemoryRecords(data)) for kind in (Fetcher.PartitionRecords, FastRecords)]
    for part in parts:
        part.take()
    assert parts[0].bytes_read == parts[1].bytes_read
    assert parts[0].records_read == parts[1].records_read == 30


def test_it_is_used_with_the_version_that_it_was_compared_with_only() -> None:
    assert kafka.__version__ == fast_records.VERSION, "compare again, then name the new version"
