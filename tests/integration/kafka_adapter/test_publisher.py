"""Election, takeover and recovery."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import MemberToRemove
from kafka.errors import KafkaTimeoutError

from shared.errors import LeaseLost, PublishFailed, TransportUnusable
from shared.record import headers_of, key_of
from shared.settings import TransportSettings
from shared.transport.kafka.publish.page_producer import PageProducer
from shared.transport.kafka.topics import checkpoints
from shared.transport.kafka.topics.checkpoints import KEY
from shared.transport.kafka.topics.producer import RecordProducer
from shared.transport.kafka.transport import KafkaTransport
from shared.transport.port import OLDEST, Publisher, Repeats
from tests.contract.harness import checkpoint_of, events
from tests.integration.kafka_adapter.conftest import Lines
from tests.integration.kafka_adapter.pages import fill, ids, in_topic, leading, once
from tests.support.forked_program import ForkedProgram

Start = Callable[..., ForkedProgram]


@pytest.fixture
def child(settings: TransportSettings) -> Iterator[Start]:
    """Starts a program of `children`; whatever of them still runs at the end is killed."""
    with ExitStack() as ends:

        def start(*command: object) -> ForkedProgram:
            words = map(str, command)
            return ends.enter_context(closing(ForkedProgram(f"{__package__}.children", *words, environ=_environment(settings))))

        yield start


def _environment(settings: TransportSettings) -> dict[str, str]:
    return {
        "KAFKA_BOOTSTRAP_SERVERS": ",".join(settings.bootstrap_servers),
        "KAFKA_TOPIC": settings.topic,
        "KAFKA_GROUP": settings.group,
        "KAFKA_SESSION_TIMEOUT": str(settings.session_timeout),
    }


@pytest.mark.parametrize("sent", [13, 40])
async def test_a_page_that_a_kill_cut_short_is_completed_and_nothing_is_in_the_topic_twice(
    settings: TransportSettings, child: Start, sent: int
) -> None:
    await fill(settings, 20)
    assert child("die", 20, 60, sent).wait() == -9
    publisher = await leading(settings)
    # The next pages are cut otherwise than the one that died.
    assert await publisher.publish(page := events(20, 30), checkpoint_of(page)) == 10 - min(sent, 10)
    await publisher.close()
    publisher = await leading(settings)
    assert await publisher.publish(page := events(30, 70), checkpoint_of(page)) == 40 - max(sent - 10, 0)
    await publisher.close()
    assert in_topic(settings) == once(ids(0, 70))


async def test_what_a_failed_publish_left_in_the_topic_counts_as_published_once_its_page_is_done(
    settings: TransportSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def times_out(*_: object) -> int:
        raise KafkaTimeoutError

    publisher = await leading(settings)
    page = events(0, 30)
    for _ in range(2):
        with monkeypatch.context() as broken:
            broken.setattr(PageProducer, "write", times_out)  # the records are there, their checkpoint is not
            with pytest.raises(PublishFailed):
                await publisher.publish(page, checkpoint_of(page))
        assert await publisher.acquire() is None
    # It comes cut otherwise this time.
    assert await publisher.publish(page[:10], checkpoint_of(page[:10])) == 10
    assert await publisher.publish(page[10:], checkpoint_of(page)) == 20
    later = events(30, 40)
    assert await publisher.publish(later, checkpoint_of(later)) == 10
    await publisher.close()
    assert in_topic(settings) == once(ids(0, 40))


async def test_the_first_page_of_all_can_be_cut_short_too(settings: TransportSettings, child: Start) -> None:
    assert child("die", 0, 40, 13).wait() == -9
    publisher = await KafkaTransport(settings).publisher()
    assert await publisher.acquire() is None
    assert await publisher.publish(page := events(0, 40), checkpoint_of(page)) == 27
    await publisher.close()
    assert in_topic(settings) == once(ids(0, 40))


async def test_after_a_reset_a_page_that_a_kill_cut_short_is_completed_and_no_more_comes_again_than_was_said(
    settings: TransportSettings, child: Start
) -> None:
    await fill(settings, 20)
    said: list[Repeats] = []

    def confirmed(repeats: Repeats) -> bool:
        said.append(repeats)
        return True

    transport = KafkaTransport(settings)
    assert await transport.set_checkpoint(OLDEST, confirmed)
    assert child("die", 10, 30, 7).wait() == -9  # the tenant forgot the first ten
    publisher = await transport.publisher()
    assert await publisher.acquire() == OLDEST
    assert await publisher.publish(page := events(10, 40), checkpoint_of(page)) == 30 - 7
    await publisher.close()
    await transport.close()
    assert in_topic(settings) == once(ids(0, 40)) + once(ids(10, 20))
    assert 10 <= said[0].most == 20


async def test_a_poller_that_starts_while_the_checkpoint_is_moved_is_told_of(
    settings: TransportSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has read the one before, and would store its own place over the new one."""
    await fill(settings, 20)
    transport, loop, store = KafkaTransport(settings), asyncio.get_running_loop(), checkpoints.store
    started: list[Publisher] = []

    async def start() -> None:
        started.append(await leading(settings))

    def late(*arguments: Any) -> None:
        asyncio.run_coroutine_threadsafe(start(), loop).result(60)
        store(*arguments)

    monkeypatch.setattr(checkpoints, "store", late)
    with pytest.raises(TransportUnusable, match="a poller has started while the checkpoint was stored"):
        await transport.set_checkpoint(OLDEST, lambda _: True)
    await started[0].close()
    await transport.close()


async def test_a_standby_takes_over_after_a_kill(settings: TransportSettings, child: Start, lines: Lines) -> None:
    active = child("lead")
    assert active.line() == "leading"
    active.order("30")
    assert active.line() == "published 30"
    standby = await KafkaTransport(settings).publisher()
    waiting = asyncio.create_task(standby.acquire())
    await asyncio.sleep(1)
    assert lines("another poller is active")
    assert not waiting.done()
    active.kill()
    assert await asyncio.wait_for(waiting, 60) == checkpoint_of(events(0, 30))
    await standby.close()


async def test_a_standby_takes_over_at_once_when_the_active_one_leaves(settings: TransportSettings) -> None:
    patient = settings.model_copy(update={"session_timeout": 45.0})  # so that it is no session that ends
    active = await leading(patient)
    standby = await KafkaTransport(patient).publisher()
    waiting = asyncio.create_task(standby.acquire())
    for _ in range(5):
        await asyncio.sleep(0.2)
        await active.renew()
    await active.publish(page := events(0, 10), checkpoint_of(page))
    await active.close()
    assert await asyncio.wait_for(waiting, 30) == checkpoint_of(page)
    await standby.close()


async def test_a_poller_that_was_frozen_steps_down_and_writes_nothing(settings: TransportSettings, child: Start) -> None:
    frozen = child("lead")
    assert frozen.line() == "leading"
    frozen.order("10")  # its lease is verified, as between two pages of a catch-up
    assert frozen.line() == "published 10"
    frozen.signal(19)
    publisher = await leading(settings)
    await publisher.publish(page := events(10, 20), checkpoint_of(page))
    frozen.order("10")  # the first thing that it reads when it thaws: it would publish the same page
    frozen.signal(18)
    assert frozen.line() == "lost"
    await publisher.publish(page := events(20, 30), checkpoint_of(page))
    await publisher.close()
    assert in_topic(settings) == once(ids(0, 30))


async def test_a_lease_that_the_group_took_away_a_moment_ago_is_noticed_before_the_checkpoint(
    settings: TransportSettings,
) -> None:
    """The poll that would tell of it is due within a second only; the commit that proves the lease is refused at once."""
    publisher = await leading(settings)
    await publisher.publish(page := events(0, 10), checkpoint_of(page))
    _remove_members(settings, settings.poller_group)
    with pytest.raises(LeaseLost):
        await publisher.publish(lost := events(10, 20), checkpoint_of(lost))
    assert await publisher.acquire() == checkpoint_of(page)
    assert await publisher.publish(lost, checkpoint_of(lost)) == 10
    await publisher.close()
    assert in_topic(settings) == once(ids(0, 20))


async def test_publishing_without_the_lease_is_refused(settings: TransportSettings) -> None:
    publisher = await KafkaTransport(settings).publisher()
    with pytest.raises(LeaseLost):
        await publisher.publish(page := events(0, 10), checkpoint_of(page))
    await publisher.close()
    assert not in_topic(settings)


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        (b"1234", r"checkpoint-0@1 is not one of ours"),
        (b'{"v":1,"log_id":', r"checkpoint-0@1 is not one of ours"),
        (json.dumps({"v": 99, "place": "x"}).encode(), r"checkpoint-0@1 has version 99.*upgrade auth0-webhooks"),
    ],
)
async def test_a_checkpoint_that_is_not_ours_is_refused(settings: TransportSettings, document: bytes, complaint: str) -> None:
    await fill(settings, 10)
    _put(settings, KEY, document)
    publisher = await KafkaTransport(settings).publisher()
    with pytest.raises(TransportUnusable, match=complaint):
        await publisher.acquire()
    await publisher.close()


async def test_a_full_topic_whose_checkpoint_is_gone_is_refused(settings: TransportSettings) -> None:
    await fill(settings, 1200, 200)
    _put(settings, KEY, None)
    publisher = await KafkaTransport(settings).publisher()
    with pytest.raises(TransportUnusable, match=r"holds about 1200 records but .* is empty.*checkpoint set --from-topic"):
        await publisher.acquire()
    await publisher.close()


async def test_a_retried_dead_letter_is_read_by_one_takeover_and_by_none_after_it(
    settings: TransportSettings, lines: Lines
) -> None:
    await fill(settings, 100)
    again = events(0, 1)[0]
    writer = RecordProducer(settings)
    writer.write(settings.topic, key_of(again), again.raw, headers_of(again))
    writer.close()
    for first in (100, 120):
        publisher = await leading(settings)
        await publisher.publish(page := events(first, first + 20), checkpoint_of(page))
        await publisher.close()
    assert [line["events"] for line in lines("goes beyond the checkpoint")] == [1]
    assert in_topic(settings) == once(ids(0, 140)) + Counter([again.log_id])


@pytest.mark.parametrize("sent", [13, 40])
@pytest.mark.parametrize("damaged", [None, b"1234"])
async def test_a_checkpoint_from_the_topic_passes_nothing_over_and_publishes_nothing_twice(
    settings: TransportSettings, child: Start, sent: int, damaged: bytes | None
) -> None:
    await fill(settings, 1200, 100)
    # A page that is cut short, so that the newest record does not say what is before it.
    assert child("die", 1200, 1260, sent).wait() == -9
    _put(settings, KEY, damaged)
    checkpoint, ends = checkpoints.derive(settings)
    checkpoints.store(settings, checkpoint, ends)
    assert ids(1100, 1200)[0] <= checkpoint.log_id < ids(1200, 1201)[0]
    patient = settings.model_copy(update={"session_timeout": 4.0})  # its lease outlives a busy second
    publisher = await KafkaTransport(patient).publisher()
    assert await publisher.acquire() == checkpoint
    again = [event for event in events(1000, 1260) if event.log_id > checkpoint.log_id]
    assert await publisher.publish(again, checkpoint_of(again)) == 60 - sent
    await publisher.close()
    assert in_topic(settings) == once(ids(0, 1260))


async def test_a_topic_with_no_more_than_a_page_needs_no_checkpoint(settings: TransportSettings) -> None:
    await fill(settings, 100)
    with pytest.raises(TransportUnusable, match=r"holds 100 different events, no more than one page.*Nothing was done"):
        checkpoints.derive(settings)


def _remove_members(settings: TransportSettings, group: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=list(settings.bootstrap_servers))
    members = admin.describe_groups([group])[group]["members"]
    admin.remove_group_members(group, [MemberToRemove(member_id=member["member_id"]) for member in members])
    admin.close()
    assert len(members) == 1


def _put(settings: TransportSettings, key: bytes, value: bytes | None) -> None:
    producer = KafkaProducer(bootstrap_servers=list(settings.bootstrap_servers))
    producer.send(settings.checkpoint_topic, value, key).get(10)
    producer.close(timeout=5)
