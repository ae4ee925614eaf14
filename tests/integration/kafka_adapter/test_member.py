"""Rebalances, positions and commits of the consumers' group."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.admin import MemberToRemove
from kafka.structs import TopicPartition
from structlog.typing import EventDict

from shared.settings import TransportSettings
from shared.transport.kafka.topics.topics import create
from shared.transport.kafka.transport import KafkaTransport
from shared.transport.port import Position
from tests.contract.harness import checkpoint_of, events, read
from tests.integration.kafka_adapter.conftest import SESSION
from tests.integration.kafka_adapter.consumers import Hand, at_work, everything_is_owned, seen_by, start, until
from tests.integration.kafka_adapter.pages import fill, ids, leading, once
from tests.integration.kafka_operator.desk import delete

Lines = Callable[[str], list[EventDict]]


async def test_members_come_and_go_and_every_record_is_seen_once(settings: TransportSettings) -> None:
    """Each takes longer than the session to give its partitions back, and nobody is evicted for it."""
    publisher = await leading(settings)

    async def publish() -> None:
        for first in range(0, 2000, 20):
            page = events(first, first + 20)
            await publisher.publish(page, checkpoint_of(page))
            await asyncio.sleep(0.05)

    publishing = asyncio.create_task(publish())
    async with at_work(await start(settings)) as crew:
        everybody = list(crew)
        for change in ("join", "join", "leave", "join", "leave"):
            await asyncio.sleep(0.3)
            crew[0].hand.drain = SESSION * 1.3
            if change == "join":
                everybody.append(await start(settings))
                crew.append(everybody[-1])
            else:
                await crew.pop().leave()
            await until(lambda: everything_is_owned(crew))
            crew[0].hand.drain = 0.0
        await publishing
        await until(lambda: seen_by(everybody).total() >= 2000)
        await asyncio.sleep(0.3)
    assert seen_by(everybody) == once(ids(0, 2000))
    assert not any(consumer.hand.lost_partitions for consumer in everybody)
    await publisher.close()


async def test_a_session_runs_out_while_the_result_of_a_poll_waits(settings: TransportSettings) -> None:
    """The process may be frozen between the two, and wake when its partitions are somebody else's."""
    member = await KafkaTransport(settings).member(hand := Hand())
    while not hand.owned:
        await member.poll(wait=0.1, limit=1, paused=())
    assert 0 < member.session <= SESSION
    await until(lambda: member.session == 0)
    await member.close()


async def test_a_poll_that_is_cancelled_loses_nothing(settings: TransportSettings) -> None:
    expected = await fill(settings, 300)
    hand = Hand()
    member = await KafkaTransport(settings).member(hand)
    while len(hand.seen) < len(expected):
        try:
            async with asyncio.timeout(0.003):
                await hand.turn(member, 0.1)
        except TimeoutError:
            pass
    assert sorted(hand.seen) == expected
    await member.close()


async def test_only_what_is_owned_is_committed_and_never_backwards(settings: TransportSettings) -> None:
    await fill(settings, 300)
    transport, hand = KafkaTransport(settings), Hand()
    member = await transport.member(hand)
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
    member = await transport.member(Hand())
    partition, record = (await read(member, 30))[-1]
    assert await member.commit({partition: Position(record.offset + 1, "x" * 5000)})
    assert (await transport.progress())[partition].committed == Position(record.offset + 1)
    assert lines("offset.metadata.max.bytes")
    await member.close()
    await transport.close()


async def test_records_that_expired_before_the_start_are_a_gap(settings: TransportSettings, lines: Lines) -> None:
    await fill(settings, 300)
    member = await KafkaTransport(settings).member(Hand())
    await read(member, 300)
    assert await member.commit({0: Position(2)})
    await member.close()
    _expire(settings, {0: 5})
    async with at_work(await start(settings)) as crew:
        await until(lambda: len(crew[0].hand.seen) == 295)
    (gap,) = lines("gap: records were removed")
    assert (gap["partition"], gap["first_lost"], gap["last_lost"]) == (0, 2, 4)


async def test_records_that_expire_under_a_slow_consumer_are_a_gap(settings: TransportSettings, lines: Lines) -> None:
    member = await KafkaTransport(settings).member(hand := Hand())
    while not hand.owned:
        await member.poll(wait=0.1, limit=1, paused=())
    await fill(settings, 300)
    _expire(settings, {0: 5})
    assert len(await read(member, 295)) == 295
    (gap,) = lines("gap: records were removed")
    assert (gap["partition"], gap["first_lost"], gap["last_lost"]) == (0, 0, 4)
    assert hand.lost_partitions == []
    await member.close()


async def test_a_position_behind_the_end_begins_at_the_oldest_record(settings: TransportSettings, lines: Lines) -> None:
    expected = await fill(settings, 60)
    hand = Hand()
    member = await KafkaTransport(settings).member(hand)
    await read(member, 60)
    assert await member.commit({0: Position(1_000_000)})
    await member.close()
    async with at_work(await start(settings)) as crew:
        await until(lambda: seen_by(crew) == once(expected))
    assert lines("lies behind the end")


async def test_a_topic_made_anew_under_a_consumer_is_read_from_its_oldest_record(settings: TransportSettings) -> None:
    """Its old positions are offsets of the new topic too, once that has grown beyond them."""
    await fill(settings, 60)
    async with at_work(await start(settings)) as crew:
        hand = crew[0].hand
        await hand.has_seen(60)
        expected = await asyncio.to_thread(_make_anew, settings, 600)
        await until(lambda: set(hand.seen) >= expected, within=40)


async def test_a_topic_made_anew_while_nothing_was_fetched_is_seen_by_its_id(
    settings: TransportSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(KafkaConsumer.DEFAULT_CONFIG, "metadata_max_age_ms", 1000)
    await fill(settings, 60)
    member = await KafkaTransport(settings).member(hand := Hand())
    await read(member, 60)
    expected = await asyncio.to_thread(_make_anew, settings, 600)
    async with asyncio.timeout(40):
        while not set(hand.seen) >= expected:
            await hand.turn(member, 0.1)
    await member.close()


async def test_an_evicted_member_hears_that_it_lost_its_partitions(settings: TransportSettings) -> None:
    expected = await fill(settings, 60)
    async with at_work(await start(settings)) as crew:
        await until(lambda: len(crew[0].hand.seen) == 60)
        _evict(settings)
        await until(lambda: len(crew[0].hand.lost_partitions) == 6)
        await until(lambda: everything_is_owned(crew) and len(crew[0].hand.seen) == 120)
    assert seen_by(crew) == dict.fromkeys(expected, 2), "nothing was committed, so all of it comes again"


def _expire(settings: TransportSettings, below: dict[int, int]) -> None:
    admin = KafkaAdminClient(bootstrap_servers=list(settings.bootstrap_servers))
    admin.delete_records({TopicPartition(settings.topic, partition): offset for partition, offset in below.items()})
    admin.close()


def _make_anew(settings: TransportSettings, records: int) -> set[str]:
    """With so many new records at once; answers their log ids."""
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
