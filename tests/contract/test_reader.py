"""What every adapter promises to commands that look at records: `Reader`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.record import Record, log_id_of
from shared.transport.port import STRETCH_RECORDS, Position, Reader
from tests.contract.conftest import any_login
from tests.contract.harness import ContractListener, event, events, joined, publish, read
from tests.support.transports import Log


@asynccontextmanager
async def _reader(log: Log) -> AsyncIterator[Reader]:
    transport = log.transport()
    reader = await transport.reader()
    try:
        yield reader
    finally:
        await reader.close()
        await reader.close()
        await transport.close()


async def _read(reader: Reader, partition: int, offsets: range) -> list[Record]:
    return [record for stretch in [found async for found in reader.read(partition, offsets)] for record in stretch]


async def _all(reader: Reader) -> dict[tuple[int, int], str]:
    return {
        (partition, record.offset): log_id_of(record)
        for partition, offsets in (await reader.offsets()).items()
        for record in await _read(reader, partition, offsets)
    }


async def test_it_reads_what_is_there_beside_a_member_and_commits_nothing(log: Log) -> None:
    await publish(log.transport(), events(0, 20))
    async with joined(log, ContractListener()) as member, _reader(log) as reader:
        found = await read(member, 20)
        assert await _all(reader) == log.dump()
        await publish(log.transport(), events(20, 30))
        assert await _all(reader) == log.dump()
        assert len(await read(member, 10)) == 10
        assert await member.commit({partition: Position(record.offset + 1) for partition, record in found})
    transport = log.transport()
    progress = await transport.progress()
    await transport.close()
    assert sum(one.lag for one in progress.values()) == 10


async def test_an_empty_log_has_partitions_without_offsets(log: Log) -> None:
    await publish(log.transport())
    async with _reader(log) as reader:
        offsets = await reader.offsets()
        assert offsets
        assert not any(offsets.values())
        assert await reader.offsets_since(0.0) == {partition: there.stop for partition, there in offsets.items()}


@any_login
async def test_records_come_whole_in_order_and_from_a_part_of_a_partition(log: Log) -> None:
    page = [event(number, user="auth0|1", extra=', "half": "\\ud83d"') for number in range(STRETCH_RECORDS + 7)]
    await publish(log.transport(), page[:300], page[300:])
    async with _reader(log) as reader:
        ((partition, there),) = [(number, there) for number, there in (await reader.offsets()).items() if there]
        assert len(there) >= len(page)
        records = await _read(reader, partition, there)
        assert [record.value for record in records] == [sent.raw for sent in page]
        rest = records[STRETCH_RECORDS:]
        assert await _read(reader, partition, range(rest[0].offset, there.stop)) == rest  # where a stretch began before
        part = records[3:9]
        assert await _read(reader, partition, range(part[0].offset, part[-1].offset + 1)) == part
        assert await _read(reader, partition, range(there.stop, there.stop)) == []


@any_login
async def test_records_are_found_by_when_they_were_published(log: Log) -> None:
    await publish(log.transport(), events(0, 20))
    await asyncio.sleep(0.01)
    between = time.time()
    await asyncio.sleep(0.01)
    await publish(log.transport(), events(20, 30))
    async with _reader(log) as reader:
        offsets, since = await reader.offsets(), await reader.offsets_since(between)
        later = [
            record for number in offsets for record in await _read(reader, number, range(since[number], offsets[number].stop))
        ]
        assert {log_id_of(record) for record in later} == {sent.log_id for sent in events(20, 30)}
        assert all(record.timestamp >= between - 0.001 for record in later)
        assert await reader.offsets_since(0.0) == {number: there.start for number, there in offsets.items()}
        assert await reader.offsets_since(between + 3600) == {number: there.stop for number, there in offsets.items()}


@any_login
async def test_reading_that_was_broken_off_can_begin_anew(log: Log) -> None:
    await publish(log.transport(), events(0, 20))
    async with _reader(log) as reader:
        for partition, there in (await reader.offsets()).items():
            async for _ in reader.read(partition, there):
                break  # an operator who has seen enough
        assert await _all(reader) == log.dump()
