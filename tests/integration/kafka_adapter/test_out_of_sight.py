"""A page that failed for want of replicas: it lies on the leader, and no reader sees it until the replicas are back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from kafka import KafkaAdminClient

from shared.errors import PublishFailed
from shared.settings import TransportSettings
from shared.transport.kafka.client import clients
from shared.transport.kafka.publish import page_producer
from shared.transport.kafka.topics.layout import shapes
from tests.contract.harness import checkpoint_of, events
from tests.integration.kafka_adapter.conftest import Lines
from tests.integration.kafka_adapter.pages import ids, in_topic, leading, once
from tests.support.kafka.broker import JarsBroker
from tests.support.kafka.fixtures import Names
from tests.support.kafka.second_broker import SecondBroker

pytestmark = pytest.mark.outages


@pytest.fixture
def two_brokers() -> Iterator[tuple[JarsBroker, SecondBroker]]:
    """A replica on each; one that is frozen stays a replica that is waited for, however slow this machine is."""
    forever = {"broker.session.timeout.ms": "600000", "replica.lag.time.max.ms": "600000"}
    with JarsBroker({"default.replication.factor": "2", **forever}) as first, SecondBroker(first) as second:
        yield first, second


@pytest.mark.timeout(200)
async def test_a_page_that_lies_out_of_sight_is_waited_for_and_not_published_beside_itself(
    two_brokers: tuple[JarsBroker, SecondBroker], names: Names, monkeypatch: pytest.MonkeyPatch, lines: Lines
) -> None:
    first, second = two_brokers
    settings = _on_both(first, names)
    publisher = await leading(settings)
    try:
        page = events(0, 20)
        await publisher.publish(page, checkpoint_of(page))
        monkeypatch.setattr(clients, "REQUEST_TIMEOUT", 2.0)
        monkeypatch.setattr(page_producer, "DELIVERY", 4.0)
        monkeypatch.setattr(page_producer, "PAGE_BOUND", 6.0)
        second.freeze()
        failed = events(20, 40)
        with pytest.raises(PublishFailed):
            await publisher.publish(failed, checkpoint_of(failed))
        taking_over = asyncio.create_task(publisher.acquire())
        async with asyncio.timeout(60):
            while "are not on enough replicas yet" not in str(lines("cannot take over yet")):
                assert not taking_over.done()
                await asyncio.sleep(0.1)
        second.thaw()
        async with asyncio.timeout(90):
            assert await taking_over == checkpoint_of(page)
            await publisher.publish(failed, checkpoint_of(failed))
    finally:
        await publisher.close()
    assert in_topic(settings) == once(ids(0, 40))


def _on_both(first: JarsBroker, names: Names) -> TransportSettings:
    """The first broker leads, the second one follows; a page waits for both of them."""
    settings = TransportSettings(bootstrap_servers=(first.bootstrap,), topic=names.topic, group=names.group, session_timeout=6.0)
    admin = KafkaAdminClient(bootstrap_servers=settings.bootstrap_servers)
    admin.create_topics(
        {
            shape.name: {
                "assignments": {number: [1, 2] for number in range(shape.partitions)},
                "configs": {**shape.configs, **({"min.insync.replicas": "2"} if shape.name == settings.topic else {})},
            }
            for shape in shapes(settings)
        }
    )
    admin.close()
    return settings
