"""Rebalances, positions and commits of the consumers' group."""

from __future__ import annotations

import asyncio

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.admin import MemberToRemove
from kafka.structs import TopicPartition

from shared.settings import TransportSettings
from shared.transport.kafka.topics.topics import create
from shared.transport.kafka.transport import KafkaTransport
from shared.transport.port import Position
from tests.contract.harness import checkpoint_of, events, read
from tests.integration.kafka_adapter.conftest import SESSION, Lines
from tests.integration.kafka_adapter.consumers import RecordingListener, all_owned, running, seen_by, start, until
from tests.integration.kafka_adapter.pages import fill, ids, leading, once
from tests.integration.kafka_operator.fixtures import delete


async def test_members_come_and_go_and_every_record_is_seen_once(settings: TransportSettings) -> None:
    """Each takes longer than the session to give its partitions back, and none is evicted for it."""
    publisher = await leading(settings)

    async def publish() -> None:
        for first in range(0, 2000, 20):
            page = events(first, first + 20)
            await publisher.publish(page, checkpoint_of(page))
            await asyncio.sleep(0.05)

    publishing = asyncio.create_task(publish())
    async with running(await start(settings)) as consumers:
        everyone = list(consumers)
        for change in ("join", "join", "leave", "join", "leave"):
            await asyncio.sleep(0.3)
            consumers[0].listener.drain = SESSION * 1.3
            if change == "join":
                everyone.append(await start(settings))
                consumers.append(everyone[-1])
            else:
                await consumers.pop().leave()
            await until(lambda: all_owned(consumers))
            consumers[0].listener.drain = 0.0
        await publishing
        await until(lambda: seen_by(everyone).total() >= 2000)
        await asyncio.sleep(0.3)
    assert seen_by(everyone) == once(ids(0, 2000))
    assert not any(consumer.listener.lost_partitions for consumer in everyone)
    await publisher.close()


async def test_a_session_runs_out_while_the_result_of_a_poll_waits(settings: TransportSettings) -> None:
    """The process may be frozen between the two, and wake when another member owns its partitions."""
    member = await KafkaTransport(settings).member(listener := RecordingListener())
    while not listener.owned:
        await member.poll(wait=0.1, limit=1, paused=())
    assert 0 < member.session <= SESSION
    await until(lambda: member.session == 0)
    await member.close()


async def test_a_poll_that_is_cancelled_loses_nothing(settings: TransportSettings) -> None:
    expected = await fill(settings, 300)
    listener = RecordingListener()
    member = await KafkaTransport(settings).member(listener)
    while len(listener.seen) < len(expected):
        try:
            async with asyncio.timeout(0.003):
                await listener.poll(member)
        except TimeoutError:
            pass
    assert sorted(listener.seen) == expected
    await member.close()


async def test_only_what_is_owned_is_committed_and_never_backwards(settings: TransportSettings) -> None:
    await fill(settings, 300)
    transport, listener = KafkaTransport(settings), RecordingListener()
    member = await transport.member(listener)
    assert not await member.commit({0: Position(1)}), "not joined yet"
    found = await read(member, 300)
    partition, record = found[-1]
    assert await member.commit({partition: Position(record.offset, "first")})
    assert await member.commit({partition: Position(record.offset - 1, "backwards")})
    assert not await member.commit({partition: Position(record.offset, "second"), 99: Position(1)})
    assert (await transport.progress())[partition].committed == Position(record.offset, "second")
    await member.close()
    await transport.close()


async def test_metadata_that_is_too_long_is_left_out(settings: TransportSettings, lines: Lines) -> None:
    await fill(settings, 30)
    transport = KafkaTransport(settings)
    member = await transport.member(RecordingListener())
    partition, record = (await read(member, 30))[-1]
    assert await member.commit({partition: Position(record.offset + 1, "x" * 5000)})
    assert (await transport.progress())[partition].committed == Position(record.offset + 1)
    assert lines("offset.metadata.max.bytes")
    await member.close()
    await transport.close()


async def test_records_that_expired_before_the_start_are_a_gap(settings: TransportSettings, lines: Lines) -> None:
    await fill(settings, 300)
    member = await KafkaTransport(settings).member(RecordingListener())
    await read(member, 300)
    assert await member.commit({0: Position(2)})
    await member.close()
    _expire(settings, {0: 5})
    async with running(await start(settings)) as consumers:
        await until(lambda: len(consumers[0].seen) == 295)
        assert consumers[0].listener.gone == [(0, range(2, 5), True)]
    (gap,) = lines("gap: records were removed")
    assert (gap["partition"], gap["first_lost"], gap["last_lost"]) == (0, 2, 4)


async def test_records_that_expire_under_a_slow_consumer_are_a_gap(settings: TransportSettings, lines: Lines) -> None:
    member = await KafkaTransport(settings).member(listener := RecordingListener())
    while not listener.owned:
        await member.poll(wait=0.1, limit=1, paused=())
    await fill(settings, 300)
    _expire(settings, {0: 5})
    assert len(await read(member, 295)) == 295
    (gap,) = lines("gap: records were removed")
    assert (gap["partition"], gap["first_lost"], gap["last_lost"]) == (0, 0, 4)
    assert listener.lost_partitions == []
    assert listener.gone == [(0, range(5), True)]
    await member.close()


async def test_a_position_behind_the_end_begins_at_the_oldest_record(settings: TransportSettings, lines: Lines) -> None:
    expected = await fill(settings, 60)
    listener = RecordingListener()
    member = await KafkaTransport(settings).member(listener)
    await read(member, 60)
    assert await member.commit({0: Position(1_000_000)})
    await member.close()
    async with running(await start(settings)) as consumers:
        await until(lambda: seen_by(consumers) == once(expected))
    assert lines("lies behind the end")


async def test_a_topic_made_anew_under_a_consumer_is_read_from_its_oldest_record(settings: TransportSettings) -> None:
    """Its old positions are offsets of the new topic too, once that has grown beyond them."""
    await fill(settings, 60)
    async with running(await start(settings)) as consumers:
        await consumers[0].has_seen(60)
        expected = await asyncio.to_thread(_make_anew, settings, 600)
        await until(lambda: set(consumers[0].seen) >= expected, within=40)


async def test_a_topic_made_anew_while_nothing_was_fetched_is_seen_by_its_id(
    settings: TransportSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(KafkaConsumer.DEFAULT_CONFIG, "metadata_max_age_ms", 1000)
    await fill(settings, 60)
    member = await KafkaTransport(settings).member(listener := RecordingListener())
    await read(member, 60)
    expected = await asyncio.to_thread(_make_anew, settings, 600)
    async with asyncio.timeout(40):
        while not set(listener.seen) >= expected:
            await listener.poll(member)
    await member.close()


async def test_an_evicted_member_hears_that_it_lost_its_partitions(settings: TransportSettings) -> None:
    expected = await fill(settings, 60)
    async with running(await start(settings)) as consumers:
        await until(lambda: len(consumers[0].seen) == 60)
        _evict(settings)
        await until(lambda: len(consumers[0].listener.lost_partitions) == 6)
        await until(lambda: all_owned(consumers) and len(consumers[0].seen) == 120)
    assert seen_by(consumers) == dict.fromkeys(expected, 2), "nothing was committed, so all of it comes again"


def _expire(settings: TransportSettings, below: dict[int, int]) -> None:
    admin = KafkaAdminClient(bootstrap_servers=list(settings.bootstrap_servers))
    admin.delete_records({TopicPartition(settings.topic, partition): offset for partition, offset in below.items()})
    admin.close()


def _make_anew(settings: TransportSettings, records: int) -> set[str]:
    """With so many new records at once. Returns their log ids."""
    producer = KafkaProducer(bootstrap_servers=list(settings.bootstrap_servers))
    delete(settings, settings.topic)
    create(settings)
    log_ids = {f"new-{number}" for number in range(records)}
    for number, log_id in enumerate(log_ids):
        producer.send(settings.topic, b"{}", headers=[("log-id", log_id.encode())], partition=number % 6)
    producer.flush(20)
    producer.close()
    return log_ids


def _evict(settings: TransportSettings) -> None:
    admin = KafkaAdminClient(bootstrap_servers=list(settings.bootstrap_servers))
    members = admin.describe_groups([settings.group])[settings.group]["members"]
    admin.remove_group_members(settings.group, [MemberToRemove(member_id=member["member_id"]) for member in members])
    admin.close()
