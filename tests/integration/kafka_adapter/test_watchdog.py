"""Joins that the client library never completes (kafka-python 3.0.12).

When a change of metadata starts a join, and `poll` ends between this member's work as the group's leader and the broker's
response, the library forgets that it wants to join: no partitions, no heartbeats from then on. Polls of a millisecond hit that
nearly always.
"""

from __future__ import annotations

import pytest
from kafka import KafkaAdminClient

from shared.settings import TransportSettings
from shared.transport.kafka.client import internals
from shared.transport.kafka.group import client, member
from shared.transport.kafka.group.client import Watchdog
from tests.integration.kafka_adapter.conftest import Lines
from tests.integration.kafka_adapter.consumers import RunningConsumer, all_owned, running, start, until


@pytest.fixture(autouse=True)
def _short_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_JOINING", 0.0)


async def _grow(settings: TransportSettings, consumer: RunningConsumer, partitions: int) -> None:
    """Adds a partition, has the member see it, and waits until it owns all."""
    admin = KafkaAdminClient(bootstrap_servers=list(settings.bootstrap_servers))
    admin.create_partitions({settings.topic: partitions})
    await until(lambda: len(admin.describe_topics([settings.topic])[0]["partitions"]) == partitions)
    admin.close()
    consumer.member._member._consumer._cluster.request_update()  # type: ignore[attr-defined]
    await until(lambda: all_owned([consumer], partitions))


async def test_polls_of_a_millisecond_complete_a_join(settings: TransportSettings, lines: Lines) -> None:
    async with running(await start(settings, wait=0.001)) as consumers:
        await until(lambda: all_owned(consumers))
        for partitions in range(7, 12):
            await _grow(settings, consumers[0], partitions)
    assert not lines("joining the group again")


async def test_the_watchdog_frees_a_member_that_forgot_its_join(
    settings: TransportSettings, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(internals, "keep_join", lambda _consumer: None)
    async with running(await start(settings, wait=0.001)) as consumers:
        await until(lambda: all_owned(consumers))
        partitions = 6
        while not lines("joining the group again"):
            partitions += 1
            await _grow(settings, consumers[0], partitions)
            assert partitions < 20, "no join was forgotten"


async def test_a_member_that_no_rejoin_frees_gets_a_new_client(
    settings: TransportSettings, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(internals, "keep_join", lambda _consumer: None)
    monkeypatch.setattr(internals, "request_rejoin", lambda _consumer: None)
    monkeypatch.setattr(member, "new_watchdog", lambda _settings: Watchdog(rejoin_after=1, rebuild_after=2, now=0))
    async with running(await start(settings, wait=0.001)) as consumers:
        await until(lambda: all_owned(consumers))
        partitions = 6
        while not lines("starting a new client"):
            partitions += 1
            await _grow(settings, consumers[0], partitions)
            assert partitions < 20, "no join was forgotten"
