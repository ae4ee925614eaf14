"""Rights that are missing from the start, taken away and given back while we publish and consume."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

import pytest
from kafka.admin import ACL
from structlog.typing import EventDict

from shared.errors import PublishFailed, TransportUnusable
from shared.settings import TransportSettings
from shared.transport.kafka.topics import topics
from shared.transport.kafka.transport import KafkaTransport
from tests.contract.harness import checkpoint_of, events, poll_for
from tests.integration.kafka_adapter.conftest import SESSION
from tests.integration.kafka_adapter.consumers import Hand, at_work, start, until
from tests.integration.kafka_adapter.pages import fill, leading
from tests.support.kafka.principals import Principal, log_settings

Lines = Callable[[str], list[EventDict]]
Create = Callable[..., Principal]
SHORT = {"KAFKA_SESSION_TIMEOUT": str(SESSION)}


@pytest.fixture
def made(principal: Create) -> Create:
    """As `principal`, on topics that are there."""

    def create(role: str) -> Principal:
        somebody = principal(role)
        topics.create(_boundless(somebody))
        return somebody

    return create


def _boundless(somebody: Principal) -> TransportSettings:
    """The same log, for one who may do everything."""
    names = {name: somebody.environment[name] for name in ("KAFKA_TOPIC", "KAFKA_GROUP")}
    return log_settings({**somebody.broker.environment, **names, **SHORT})


def _right(somebody: Principal, operation: str, kind: str, name: str) -> ACL:
    """The one right of that kind on a resource with this name."""
    found = [
        acl
        for acl in somebody.acls
        if (acl.operation.name, acl.resource_pattern.resource_type.name) == (operation, kind.upper())
        and acl.resource_pattern.resource_name == name
    ]
    assert len(found) == 1, somebody.acls
    return found[0]


def _complaint(somebody: Principal, operation: str, resource: str) -> str:
    return re.escape(f"{somebody.name} has no right to {operation} on {resource}")


async def test_a_consumer_without_its_group_is_told_so(made: Create) -> None:
    somebody = made("consumer")
    group = somebody.settings.group
    somebody.lose(_right(somebody, "READ", "group", group))
    member = await KafkaTransport(somebody.settings).member(Hand())
    with pytest.raises(TransportUnusable, match=_complaint(somebody, "READ", f"group {group}")):
        await poll_for(member, 5)
    await member.close()


@pytest.mark.parametrize("kind", ["topic", "group"])
async def test_a_right_of_a_consumer_that_is_taken_away_and_given_back_heals(made: Create, lines: Lines, kind: str) -> None:
    somebody = made("consumer")
    boundless = _boundless(somebody)
    right = _right(somebody, "READ", kind, somebody.settings.topic if kind == "topic" else somebody.settings.group)
    settings = log_settings({**somebody.environment, **SHORT})
    await fill(boundless, 100)
    async with at_work(await start(settings)) as crew:
        await crew[0].hand.has_seen(100)
        somebody.lose(right)
        await until(lambda: bool(lines("a right in Kafka is missing")), within=20)
        somebody.regain(right)
        publisher = await leading(boundless)
        await publisher.publish(page := events(100, 150), checkpoint_of(page))
        await publisher.close()
        await until(lambda: len(set(crew[0].hand.seen)) == 150, within=20)
    assert somebody.name in lines("a right in Kafka is missing")[0]["reason"]


@pytest.mark.parametrize("suffix", ["", ".checkpoint"])
async def test_a_poller_without_read_is_told_so(made: Create, suffix: str) -> None:
    somebody = made("producer")
    name = somebody.settings.topic + suffix
    somebody.lose(_right(somebody, "READ", "topic", name))
    await fill(_boundless(somebody), 10)
    publisher = await KafkaTransport(somebody.settings).publisher()
    with pytest.raises(TransportUnusable, match=_complaint(somebody, "READ", f"topic {name}")):
        await asyncio.wait_for(publisher.acquire(), 10)
    await publisher.close()


async def test_a_poller_without_its_group_is_told_so(made: Create) -> None:
    somebody = made("producer")
    group = somebody.settings.poller_group
    somebody.lose(_right(somebody, "READ", "group", group))
    publisher = await KafkaTransport(somebody.settings).publisher()
    with pytest.raises(TransportUnusable, match=_complaint(somebody, "READ", f"group {group}")):
        await asyncio.wait_for(publisher.acquire(), 10)
    await publisher.close()


@pytest.mark.parametrize("suffix", ["", ".checkpoint"])
async def test_the_right_to_write_is_taken_away_and_given_back_and_a_new_producer_goes_on(made: Create, suffix: str) -> None:
    somebody = made("producer")
    name = somebody.settings.topic + suffix
    right = _right(somebody, "WRITE", "topic", name)
    publisher = await leading(somebody.settings)
    await publisher.publish(page := events(0, 20), checkpoint_of(page))
    somebody.lose(right)
    await asyncio.sleep(0.3)
    page = events(20, 40)
    with pytest.raises(PublishFailed, match=_complaint(somebody, "WRITE", f"topic {name}")):
        await publisher.publish(page, checkpoint_of(page))
    somebody.regain(right)
    await asyncio.sleep(0.3)
    assert await publisher.acquire() == checkpoint_of(events(0, 20))
    await publisher.publish(page, checkpoint_of(page))
    assert await publisher.acquire() == checkpoint_of(page)
    await publisher.close()
