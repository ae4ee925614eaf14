"""What every adapter promises to the consumer."""

from __future__ import annotations

import asyncio

from shared.transport.port import Position
from tests.contract.conftest import any_login
from tests.contract.harness import ContractListener, events, joined, log_ids, poll_for, publish, read
from tests.support.transports import Log


@any_login
async def test_without_a_committed_position_it_starts_at_the_oldest_record(log: Log) -> None:
    await publish(log.transport(), events(0, 20))
    async with joined(log, ContractListener()) as member:
        assert sorted(log_ids(await read(member, 20))) == [sent.log_id for sent in events(0, 20)]


@any_login
async def test_records_come_after_assignment_and_share(log: Log) -> None:
    await publish(log.transport(), events(0, 20))
    listener = ContractListener()
    async with joined(log, listener) as member:
        found = await read(member, 20)
        assert {partition for partition, _ in found} <= listener.starts.keys()
        assert all(record.offset >= listener.starts[partition].offset for partition, record in found)
        assert listener.shares[-1] == 5  # a lone member has the whole limit


@any_login
async def test_offsets_of_a_partition_ascend(log: Log) -> None:
    await publish(log.transport(), events(0, 60), events(60, 120))
    async with joined(log, ContractListener()) as member:
        found = await read(member, 120)
    for partition in {partition for partition, _ in found}:
        offsets = [record.offset for owner, record in found if owner == partition]
        assert offsets == sorted(set(offsets))


@any_login
async def test_what_was_not_committed_is_read_again(log: Log) -> None:
    await publish(log.transport(), events(0, 10))
    async with joined(log, ContractListener()) as member:
        first = await read(member, 10)
    async with joined(log, ContractListener()) as member:
        assert sorted(await read(member, 10), key=str) == sorted(first, key=str)


async def test_it_goes_on_from_the_committed_position_with_its_metadata(log: Log) -> None:
    await publish(log.transport(), events(0, 40))
    async with joined(log, ContractListener()) as member:
        found = await read(member, 40)
        positions = {partition: Position(record.offset + 1, f"m:{record.offset}") for partition, record in found[:25]}
        assert await member.commit(positions)
    listener = ContractListener()
    async with joined(log, listener) as member:
        expected = [record for record in found if record[0] not in positions or record[1].offset >= positions[record[0]].offset]
        again = await read(member, len(expected))
        assert sorted(log_ids(again)) == sorted(log_ids(expected))
        assert {partition: listener.starts[partition] for partition in positions} == positions


@any_login
async def test_positions_are_committed_while_a_poll_waits(log: Log) -> None:
    await publish(log.transport(), events(0, 10))
    async with joined(log, ContractListener()) as member:
        ((partition, record), *_) = await read(member, 10)
        beside = 0
        for number in range(10):  # on a busy machine one of them may take longer than the poll
            waiting = asyncio.create_task(member.poll(wait=0.4, limit=10, paused=range(100)))
            await asyncio.sleep(0)
            assert await member.commit({partition: Position(record.offset + 1, f"m:{number}")})
            beside += not waiting.done()
            await waiting
    assert beside
    listener = ContractListener()
    async with joined(log, listener) as member:
        await read(member, 9)
        assert listener.starts[partition] == Position(record.offset + 1, "m:9")


@any_login
async def test_a_commit_under_way_does_not_overtake_the_last_one(log: Log) -> None:
    await publish(log.transport(), events(0, 40))
    listener = ContractListener()
    async with joined(log, listener) as member:
        last = {partition: record.offset for partition, record in await read(member, 40)}
        listener.positions = {partition: Position(offset + 1, "the last") for partition, offset in last.items()}

        async def commit_all_the_time() -> None:
            while not listener.revocations:
                await member.commit({partition: Position(offset, "under way") for partition, offset in last.items()})

        committing = asyncio.create_task(commit_all_the_time())
        await asyncio.sleep(0)
    await committing
    transport = log.transport()
    progress = await transport.progress()
    await transport.close()
    assert {partition: progress[partition].committed for partition in last} == listener.positions


async def test_closing_commits_what_the_listener_returns(log: Log) -> None:
    await publish(log.transport(), events(0, 30))
    listener = ContractListener()
    async with joined(log, listener) as member:
        for partition, record in await read(member, 30):
            listener.positions[partition] = Position(record.offset + 1)
    assert listener.revocations == 1
    assert listener.starts == {}
    async with joined(log, ContractListener()) as member:
        assert await poll_for(member, 0.5) == []


@any_login
async def test_a_paused_partition_returns_nothing_and_loses_nothing(log: Log) -> None:
    await publish(log.transport(), events(0, 50))
    listener = ContractListener()
    async with joined(log, listener) as member:
        before = await read(member, 1)
        everything = range(100)
        assert await member.poll(wait=0.3, limit=100, paused=everything) == []
        assert await member.poll(wait=0.3, limit=100, paused=everything) == []
        after = await read(member, 50 - len(before))
        assert sorted(log_ids(before + after)) == [sent.log_id for sent in events(0, 50)]


@any_login
async def test_a_partition_that_was_paused_while_the_others_went_on_goes_on_after_them(log: Log) -> None:
    """kafka-python puts aside what it fetched of a paused partition, and forgets it if the others reach their ends meanwhile."""
    await publish(log.transport(), events(0, 300))
    async with joined(log, ContractListener()) as member:
        ((partition, first),) = await read(member, 1, limit=1)
        found = [(partition, first)]
        while batches := await member.poll(wait=1, limit=100, paused={partition}):
            found += [(batch.partition, record) for batch in batches for record in batch.records]
        found += await read(member, 300 - len(found), within=5)
    assert sorted(log_ids(found)) == [sent.log_id for sent in events(0, 300)]


@any_login
async def test_poll_keeps_to_about_its_limit(log: Log) -> None:
    await publish(log.transport(), events(0, 100))
    async with joined(log, ContractListener()) as member:
        seen = 0
        while seen < 100:
            batches = await member.poll(wait=0.2, limit=10, paused=())
            got = sum(len(batch.records) for batch in batches)
            assert got <= 10
            seen += got


async def test_records_published_later_by_another_process_arrive(log: Log) -> None:
    await publish(log.transport(), events(0, 5))
    async with joined(log, ContractListener()) as member:
        await read(member, 5)
        child = log.child("publish", "5", "25", "10")
        found = await read(member, 20)
        assert sorted(log_ids(found)) == [sent.log_id for sent in events(5, 25)]
        assert child.wait() == 0


async def test_progress_shows_begin_end_and_committed(log: Log) -> None:
    transport = log.transport()
    await publish(log.transport(), events(0, 30))
    assert sum(progress.lag for progress in (await transport.progress()).values()) == 30
    assert all(progress.committed is None for progress in (await transport.progress()).values())
    listener = ContractListener()
    async with joined(log, listener) as member:
        found = await read(member, 30)
        last = {partition: record.offset for partition, record in found}
        assert await member.commit({partition: Position(offset + 1, "m") for partition, offset in last.items()})
        progress = await transport.progress()
    for partition, offset in last.items():
        assert progress[partition].committed == Position(offset + 1, "m")
        assert progress[partition].end == offset + 1
        assert progress[partition].lag == 0
    await transport.close()
    await transport.close()
