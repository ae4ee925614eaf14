"""Each role can do its part with exactly the rights of docs/operations.md; a missing right is named, and heals when given."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shared.errors import PublishFailed, TransportUnusable
from shared.transport.kafka.topics import checkpoints, topics
from shared.transport.port import Checkpoint
from tests.integration.kafka_operator.fixtures import control_of, dead_letter, dead_letters_of
from tests.support.kafka.fixtures import Names
from tests.support.kafka.principals import Principal, log_settings
from tests.support.kafka.secured import SecuredBroker

Create = Callable[..., Principal]


@pytest.fixture
def made(principal: Create, secured_kafka: SecuredBroker, names: Names) -> Create:
    topics.create(log_settings({**secured_kafka.environment, **names.environment}))
    return principal


async def test_the_consumer_writes_dead_letters_and_follows_the_table(made: Create) -> None:
    consumer = made("consumer").settings
    async with dead_letters_of(consumer) as dead_letters, control_of(consumer) as control:
        await dead_letters.put(dead_letter(1))
        await control.put("skip/1", b"1")
        assert await control.snapshot() == {"skip/1": b"1"}
        await control.delete("skip/1")
        assert await control.snapshot() == {}


async def test_the_consumer_neither_reads_dead_letters_nor_retries(made: Create) -> None:
    consumer = made("consumer")
    async with dead_letters_of(consumer.settings) as dead_letters:
        await dead_letters.put(dead_letter(1))
        with pytest.raises(TransportUnusable, match=consumer.denied("READ", "topic " + consumer.settings.dead_topic)):
            await dead_letters.all()
        with pytest.raises(PublishFailed, match=consumer.denied("WRITE", "topic " + consumer.settings.topic)):
            await dead_letters.retry(dead_letter(1))


async def test_the_administrator_does_it_all(made: Create) -> None:
    admin = made("admin").settings
    async with dead_letters_of(admin) as dead_letters, control_of(admin) as control:
        await dead_letters.put(dead_letter(1))
        await dead_letters.put(dead_letter(2))
        await dead_letters.retry(dead_letter(1))
        assert await dead_letters.all() == [dead_letter(2)]
        await dead_letters.remove("id-2")
        await control.put("skip/1", b"1")
        assert await control.snapshot() == {"skip/1": b"1"}


async def test_the_administrator_makes_a_lost_checkpoint_anew_and_a_viewer_does_not(made: Create) -> None:
    admin, viewer = made("admin").settings, made("viewer")
    async with dead_letters_of(admin) as dead_letters:
        await dead_letters.retry(dead_letter(1))
    with pytest.raises(TransportUnusable, match="holds 0 different events"):
        checkpoints.derive(admin)
    checkpoints.store(admin, Checkpoint(log_id="1"), {0: 1})
    with pytest.raises(PublishFailed, match=viewer.denied("WRITE", "topic " + admin.checkpoint_topic)):
        checkpoints.store(viewer.settings, Checkpoint(log_id="2"), {})


async def test_the_viewer_reads_and_changes_nothing(made: Create) -> None:
    await _filled(made("consumer"))
    viewer = made("viewer")
    async with dead_letters_of(viewer.settings) as dead_letters, control_of(viewer.settings) as control:
        assert await dead_letters.all() == [dead_letter(1)]
        assert await control.snapshot() == {"skip/1": b"1"}
        with pytest.raises(PublishFailed, match=viewer.denied("WRITE", "topic " + viewer.settings.dead_topic)):
            await dead_letters.remove("id-1")
        with pytest.raises(PublishFailed, match=viewer.denied("WRITE", "topic " + viewer.settings.control_topic)):
            await control.delete("skip/1")


async def test_rights_lost_and_given_back_under_way_are_noticed_without_a_restart(made: Create) -> None:
    consumer = made("consumer")
    dead, table = consumer.settings.dead_topic, consumer.settings.control_topic
    rights = [acl for acl in consumer.acls if acl.resource_pattern.resource_name in (dead, table)]
    async with dead_letters_of(consumer.settings) as dead_letters, control_of(consumer.settings) as control:
        await dead_letters.put(dead_letter(1))
        assert await control.snapshot() == {}
        for right in rights:
            consumer.lose(right)
        with pytest.raises(PublishFailed, match=consumer.denied("WRITE", "topic " + dead)):
            await dead_letters.put(dead_letter(2))
        with pytest.raises(TransportUnusable, match=consumer.denied("READ", "topic " + table)):
            await control.snapshot()
        for right in rights:
            consumer.regain(right)
        await dead_letters.put(dead_letter(2))
        assert await control.snapshot() == {}


async def test_a_table_that_may_not_be_read_is_never_silence(made: Create) -> None:
    """The end of an empty topic can be asked for without the right to read it."""
    consumer = made("consumer")
    (right,) = [
        acl
        for acl in consumer.acls
        if (acl.operation.name, acl.resource_pattern.resource_name) == ("READ", consumer.settings.control_topic)
    ]
    consumer.lose(right)
    async with control_of(consumer.settings) as control:
        with pytest.raises(TransportUnusable, match=consumer.denied("READ", "topic " + consumer.settings.control_topic)):
            await control.snapshot()


async def _filled(consumer: Principal) -> None:
    async with dead_letters_of(consumer.settings) as dead_letters, control_of(consumer.settings) as control:
        await dead_letters.put(dead_letter(1))
        await control.put("skip/1", b"1")
