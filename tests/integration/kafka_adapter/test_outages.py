"""Brokers that are killed, frozen and come back, under load."""

from __future__ import annotations

import asyncio

import pytest

from shared.errors import LeaseLost, PublishFailed
from shared.settings import TransportSettings
from shared.transport.kafka.client import clients
from shared.transport.kafka.group import member
from shared.transport.kafka.publish import page_producer
from shared.transport.kafka.publish.page_producer import PageProducer
from shared.transport.kafka.transport import KafkaTransport
from shared.transport.port import Publisher
from tests.contract.harness import checkpoint_of, events, poll_for
from tests.integration.kafka_adapter.conftest import SESSION, Lines
from tests.integration.kafka_adapter.consumers import RecordingListener, running, seen_by, start, until
from tests.integration.kafka_adapter.pages import fill, ids, in_topic, leading, once
from tests.support.kafka.broker import Broker, JarsBroker

pytestmark = pytest.mark.outages

COUNT = 1_200
SIZE = 20


class Source:
    """A poller in miniature: pages in order from the checkpoint on, and again after each failure."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self.failures: list[Exception] = []

    async def run(self, last: int, *, pause: float = 0.01) -> None:
        while True:
            try:
                checkpoint = await self._publisher.acquire()
                await self._pages(int(checkpoint.log_id[3:]) + 1 if checkpoint else 0, last, pause)
                return
            except (PublishFailed, LeaseLost) as error:
                self.failures.append(error)

    async def _pages(self, first: int, last: int, pause: float) -> None:
        for begin in range(first, last, SIZE):
            page = events(begin, min(begin + SIZE, last))
            await self._publisher.publish(page, checkpoint_of(page))
            await asyncio.sleep(pause)


async def test_a_broker_is_killed_and_comes_back_and_nothing_is_lost_or_twice(
    own_kafka: Broker, own_settings: TransportSettings
) -> None:
    publisher = await leading(own_settings)
    async with running(await start(own_settings)) as consumers:
        publishing = asyncio.create_task(Source(publisher).run(COUNT))
        for part in (0.2, 0.5):
            await consumers[0].has_seen(round(part * COUNT))
            own_kafka.kill()
            await asyncio.sleep(0.5)
            before = len(consumers[0].seen)
            await asyncio.to_thread(own_kafka.start)
            await consumers[0].has_seen(before + SIZE)
        await publishing
        await consumers[0].has_seen(COUNT)
        assert consumers[0].listener.lost_partitions == []
    assert seen_by(consumers) == once(ids(0, COUNT))
    assert in_topic(own_settings) == once(ids(0, COUNT))
    await publisher.close()


async def test_a_page_that_expires_while_the_broker_is_frozen_is_published_once_by_a_new_producer(
    own_kafka: Broker, own_settings: TransportSettings, monkeypatch: pytest.MonkeyPatch, lines: Lines
) -> None:
    """The idempotent producer never recovers from this by itself, and what it calls failed is in the topic all the same."""
    monkeypatch.setattr(clients, "REQUEST_TIMEOUT", 1.0)
    monkeypatch.setattr(page_producer, "DELIVERY", 2.0)
    monkeypatch.setattr(page_producer, "PAGE_BOUND", 3.0)
    publisher = await leading(own_settings)
    await publisher.publish(page := events(0, 40), checkpoint_of(page))
    with monkeypatch.context() as patch:
        send = PageProducer.send
        # After the lease was verified, which would fail first.
        patch.setattr(PageProducer, "send", lambda *given: (own_kafka.freeze(), send(*given)))
        with pytest.raises(PublishFailed, match="while publishing"):
            await publisher.publish(page := events(40, 140), checkpoint_of(page))
    own_kafka.thaw()
    await Source(publisher).run(200)
    await publisher.close()
    # What had left the client before the broker froze; on a busy machine not all of the page.
    assert 0 < lines("goes beyond the checkpoint")[0]["events"] <= 100
    assert in_topic(own_settings) == once(ids(0, 200))


async def test_a_member_that_hears_nothing_of_its_group_is_not_sure_of_its_partitions(
    own_kafka: Broker, own_settings: TransportSettings
) -> None:
    member = await KafkaTransport(own_settings).member(listener := RecordingListener())
    while not listener.owned:
        await listener.poll(member)
    await poll_for(member, SESSION)
    assert member.session > SESSION / 2
    own_kafka.freeze()
    await poll_for(member, SESSION + 0.2)
    assert member.session == 0
    own_kafka.thaw()
    async with asyncio.timeout(5):
        while not member.session:
            await listener.poll(member)
    await member.close()


async def test_a_damaged_batch_is_held_while_the_other_partitions_go_on(
    own_kafka: Broker, own_settings: TransportSettings, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not isinstance(own_kafka, JarsBroker):
        pytest.skip("needs the broker's files")
    monkeypatch.setattr(member, "DAMAGED_AGAIN", 2.0)
    expected = await fill(own_settings, 600)
    own_kafka.stop()
    file = own_kafka.folder / "data" / f"{own_settings.topic}-0" / f"{0:020}.log"
    sound = file.read_bytes()
    middle = len(sound) // 2 + 100
    file.write_bytes(sound[:middle] + bytes([sound[middle] ^ 0xFF]) + sound[middle + 1 :])
    own_kafka.start()
    async with running(await start(own_settings)) as consumers:
        await until(lambda: bool(lines("is damaged")))
        await consumers[0].has_seen(430)  # all but what the damaged partition still holds
        await asyncio.sleep(0.5)
        assert len(consumers[0].seen) < 600
        file.write_bytes(sound)
        await consumers[0].has_seen(600)
    assert seen_by(consumers) == once(expected)
    assert len(lines("is damaged")) <= 5
