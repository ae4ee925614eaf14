"""The limit of the whole group, shared out by the brokers' group protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from kafka import KafkaConsumer

from shared.errors import TransportUnusable
from shared.settings import TransportSettings
from shared.transport.kafka.transport import KafkaTransport
from tests.contract.harness import poll_for
from tests.integration.kafka_adapter.conftest import Lines
from tests.integration.kafka_adapter.consumers import RecordingListener, RunningConsumer, all_owned, running, start, until


def _shared_out(consumers: Sequence[RunningConsumer], limit: int) -> bool:
    calls = [consumer.listener.calls for consumer in consumers]
    owners = [bool(consumer.listener.owned) for consumer in consumers]
    return (
        all_owned(consumers)
        and None not in calls
        and sum(filter(None, calls)) == limit
        and owners == [bool(share) for share in calls]
    )


async def test_the_shares_of_one_to_eight_members_sum_to_the_limit(settings: TransportSettings) -> None:
    await asyncio.gather(
        *(_one_to_eight(settings.model_copy(update={"group": f"{settings.group}-{n}"}), n) for n in (1, 2, 5, 20))
    )


async def _one_to_eight(settings: TransportSettings, limit: int) -> None:
    async with running() as consumers:
        for _ in range(8):
            consumers.append(await start(settings, limit=limit))
            await until(lambda: _shared_out(consumers, limit), within=60)
        await until(lambda: sum(bool(consumer.listener.owned) for consumer in consumers) == min(limit, 6), within=60)


async def test_a_standby_says_so_and_takes_over_when_one_leaves(settings: TransportSettings, lines: Lines) -> None:
    async with running(await start(settings, limit=1)) as consumers:
        await until(lambda: _shared_out(consumers, 1))
        consumers.append(await start(settings, limit=1))
        await until(lambda: consumers[1].listener.calls == 0)
        await until(lambda: bool(lines("standing by")))
        assert not consumers[1].listener.owned
        await consumers.pop(0).leave()
        await until(lambda: _shared_out(consumers, 1))


async def test_the_leaders_limit_holds_and_it_says_so(settings: TransportSettings, lines: Lines) -> None:
    async with running(await start(settings, limit=4)) as consumers:
        await until(lambda: _shared_out(consumers, 4))
        consumers.append(await start(settings, limit=50))
        await until(lambda: len(consumers[1].listener.owned) == 3 and all_owned(consumers))
        line = lines("differ in WEBHOOK_CONCURRENT_CALLS")[-1]
        assert sum(consumer.listener.calls or 0 for consumer in consumers) == line["holds"]


async def test_a_foreign_program_in_the_group_is_an_error_that_names_the_group(settings: TransportSettings) -> None:
    foreign = KafkaConsumer(settings.topic, bootstrap_servers=list(settings.bootstrap_servers), group_id=settings.group)
    foreign.partitions_for_topic(settings.topic)  # to join before it knows them is to be assigned none, and it may stay so
    while not foreign.assignment():
        foreign.poll(100)
    member = await KafkaTransport(settings).member(RecordingListener())
    with pytest.raises(TransportUnusable, match=f"in the consumer group {settings.group}"):
        await poll_for(member, 2)
    await member.close()
    foreign.close()
