"""The limit of the whole group, shared out by the brokers' group protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest
from kafka import KafkaConsumer
from structlog.typing import EventDict

from shared.errors import TransportUnusable
from shared.settings import TransportSettings
from shared.transport.kafka.transport import KafkaTransport
from tests.contract.harness import poll_for
from tests.integration.kafka_adapter.consumers import Consumer, Hand, at_work, everything_is_owned, start, until

Lines = Callable[[str], list[EventDict]]


def _shared_out(consumers: Sequence[Consumer], limit: int) -> bool:
    calls = [consumer.hand.calls for consumer in consumers]
    owners = [bool(consumer.hand.owned) for consumer in consumers]
    return (
        everything_is_owned(consumers)
        and None not in calls
        and sum(filter(None, calls)) == limit
        and owners == [bool(share) for share in calls]
    )


async def test_the_shares_of_one_to_eight_members_sum_to_the_limit(settings: TransportSettings) -> None:
    await asyncio.gather(
        *(_one_to_eight(settings.model_copy(update={"group": f"{settings.group}-{n}"}), n) for n in (1, 2, 5, 20))
    )


async def _one_to_eight(settings: TransportSettings, limit: int) -> None:
    async with at_work() as crew:
        for _ in range(8):
            crew.append(await start(settings, limit=limit))
            await until(lambda: _shared_out(crew, limit), within=20)
        assert sum(bool(consumer.hand.owned) for consumer in crew) == min(limit, 6)


async def test_a_standby_says_so_and_takes_over_when_one_leaves(settings: TransportSettings, lines: Lines) -> None:
    async with at_work(await start(settings, limit=1)) as crew:
        await until(lambda: _shared_out(crew, 1))
        crew.append(await start(settings, limit=1))
        await until(lambda: crew[1].hand.calls == 0)
        assert lines("standing by")
        assert not crew[1].hand.owned
        await crew.pop(0).leave()
        await until(lambda: _shared_out(crew, 1))


async def test_the_leaders_limit_holds_and_it_says_so(settings: TransportSettings, lines: Lines) -> None:
    async with at_work(await start(settings, limit=4)) as crew:
        await until(lambda: _shared_out(crew, 4))
        crew.append(await start(settings, limit=50))
        await until(lambda: len(crew[1].hand.owned) == 3 and everything_is_owned(crew))
        line = lines("differ in WEBHOOK_CONCURRENT_CALLS")[-1]
        assert sum(consumer.hand.calls or 0 for consumer in crew) == line["holds"]


async def test_a_foreign_program_in_the_group_is_an_error_that_names_the_group(settings: TransportSettings) -> None:
    foreign = KafkaConsumer(settings.topic, bootstrap_servers=list(settings.bootstrap_servers), group_id=settings.group)
    foreign.partitions_for_topic(settings.topic)  # to join before it knows them is to be assigned none, and it may stay so
    while not foreign.assignment():
        foreign.poll(100)
    member = await KafkaTransport(settings).member(Hand())
    with pytest.raises(TransportUnusable, match=f"in the consumer group {settings.group}"):
        await poll_for(member, 2)
    await member.close()
    foreign.close()
