"""Rights that are missing from the start, taken away and given back while we publish and consume."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from shared.errors import PublishFailed, TransportUnusable
from shared.settings import TransportSettings
from shared.transport.kafka.topics import topics
from shared.transport.kafka.transport import KafkaTransport
from tests.contract.harness import checkpoint_of, events, poll_for
from tests.integration.kafka_adapter.conftest import SESSION, Lines
from tests.integration.kafka_adapter.consumers import RecordingListener, running, start, until
from tests.integration.kafka_adapter.pages import fill, leading
from tests.support.kafka.principals import Principal, log_settings

Create = Callable[..., Principal]
SHORT = {"KAFKA_SESSION_TIMEOUT": str(SESSION)}


@pytest.fixture
def with_topics(principal: Create) -> Create:
    """As `principal`, on topics that exist."""

    def create(role: str) -> Principal:
        client = principal(role)
        topics.create(_superuser(client))
        return client

    return create


def _superuser(client: Principal) -> TransportSettings:
    """The same log for a client with every right."""
    names = {name: client.environment[name] for name in ("KAFKA_TOPIC", "KAFKA_GROUP")}
    return log_settings({**client.broker.environment, **names, **SHORT})


async def test_a_consumer_without_its_group_is_told_so(with_topics: Create) -> None:
    client = with_topics("consumer")
    group = client.settings.group
    client.lose(client.right("READ", group, "group"))
    member = await KafkaTransport(client.settings).member(RecordingListener())
    with pytest.raises(TransportUnusable, match=client.denied("READ", f"group {group}")):
        await poll_for(member, 5)
    await member.close()


@pytest.mark.parametrize("kind", ["topic", "group"])
async def test_a_right_of_a_consumer_that_is_taken_away_and_given_back_heals(
    with_topics: Create, lines: Lines, kind: str
) -> None:
    client = with_topics("consumer")
    superuser = _superuser(client)
    right = client.right("READ", client.settings.topic if kind == "topic" else client.settings.group, kind)
    settings = log_settings({**client.environment, **SHORT})
    await fill(superuser, 100)
    async with running(await start(settings)) as consumers:
        await consumers[0].has_seen(100)
        client.lose(right)
        await until(lambda: bool(lines("a right in Kafka is missing")), within=20)
        client.regain(right)
        publisher = await leading(superuser)
        await publisher.publish(page := events(100, 150), checkpoint_of(page))
        await publisher.close()
        await until(lambda: len(set(consumers[0].seen)) == 150, within=20)
    assert client.name in lines("a right in Kafka is missing")[0]["reason"]


@pytest.mark.parametrize("suffix", ["", ".checkpoint"])
async def test_a_poller_without_read_is_told_so(with_topics: Create, suffix: str) -> None:
    client = with_topics("producer")
    name = client.settings.topic + suffix
    client.lose(client.right("READ", name))
    await fill(_superuser(client), 10)
    publisher = await KafkaTransport(client.settings).publisher()
    with pytest.raises(TransportUnusable, match=client.denied("READ", f"topic {name}")):
        await asyncio.wait_for(publisher.acquire(), 10)
    await publisher.close()


async def test_a_poller_without_its_group_is_told_so(with_topics: Create) -> None:
    client = with_topics("producer")
    group = client.settings.poller_group
    client.lose(client.right("READ", group, "group"))
    publisher = await KafkaTransport(client.settings).publisher()
    with pytest.raises(TransportUnusable, match=client.denied("READ", f"group {group}")):
        await asyncio.wait_for(publisher.acquire(), 10)
    await publisher.close()


@pytest.mark.parametrize("suffix", ["", ".checkpoint"])
async def test_the_right_to_write_is_taken_away_and_given_back_and_a_new_producer_goes_on(
    with_topics: Create, suffix: str
) -> None:
    client = with_topics("producer")
    name = client.settings.topic + suffix
    right = client.right("WRITE", name)
    publisher = await leading(client.settings)
    await publisher.publish(page := events(0, 20), checkpoint_of(page))
    client.lose(right)
    await asyncio.sleep(0.3)
    page = events(20, 40)
    with pytest.raises(PublishFailed, match=client.denied("WRITE", f"topic {name}")):
        await publisher.publish(page, checkpoint_of(page))
    client.regain(right)
    await asyncio.sleep(0.3)
    assert await publisher.acquire() == checkpoint_of(events(0, 20))
    await publisher.publish(page, checkpoint_of(page))
    assert await publisher.acquire() == checkpoint_of(page)
    await publisher.close()
