"""Dead letters in Kafka: what only a topic can do to them."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from structlog.typing import EventDict

from shared.documents import dead_letter as documents
from shared.errors import PublishFailed, TransportUnusable
from shared.record import MAX_RECORD
from shared.settings import TransportSettings
from shared.transport.kafka.client import clients
from shared.transport.kafka.topics import producer
from tests.integration.kafka_operator.fixtures import configure, dead_letter, dead_letters_of, delete, stored, write
from tests.support.kafka.broker import Broker
from tests.support.kafka.fixtures import Names

Lines = Callable[[str], list[EventDict]]
BOUND = 100_000


async def test_a_removed_letter_leaves_a_tombstone_and_a_retried_one_as_well(settings: TransportSettings) -> None:
    async with dead_letters_of(settings) as dead_letters:
        for number in range(3):
            await dead_letters.put(dead_letter(number))
        await dead_letters.remove("id-0")
        await dead_letters.retry(dead_letter(1))
        assert await dead_letters.all() == [dead_letter(2)]
    assert stored(settings, settings.dead_topic)[3:] == [(3, b"id-0", None), (4, b"id-1", None)]


async def test_a_retry_does_not_remove_the_letter_that_its_own_event_has_become_by_then(settings: TransportSettings) -> None:
    """With `WEBHOOK_MAX_ATTEMPTS=1` consumers were quicker than the tombstone: 35 of 117 events were in no place."""
    again = replace(dead_letter(1), time=dead_letter(1).time + 60)
    async with dead_letters_of(settings) as ours, dead_letters_of(settings) as consumers:
        for number in range(3):
            await consumers.put(dead_letter(number))
        assert len(await ours.all()) == 3
        await ours.retry(dead_letter(0))
        await consumers.put(again)
        await ours.retry(dead_letter(1))
        await ours.retry(dead_letter(2))
        assert await ours.all() == await consumers.all() == [again]


async def test_letters_that_cannot_be_read_are_left_out_and_named(settings: TransportSettings, lines: Lines) -> None:
    newer = documents.dump(dead_letter(1)).replace(b'"v": 1', b'"v": 2')
    foreign = [(b"a", b"not JSON"), (b"id-1", newer), (b"b", documents.dump(dead_letter(3))), (b"c", b'{"v":1}'), (b"c", b"{}")]
    offsets = write(settings, settings.dead_topic, *foreign)
    async with dead_letters_of(settings) as dead_letters:
        await dead_letters.put(dead_letter(4))
        assert await dead_letters.all() == [dead_letter(4)]
    left_out = lines("cannot be read")
    assert [line["at"] for line in left_out] == [f"{settings.dead_topic}-0@{offset}" for offset in (*offsets[:3], offsets[4])]
    assert "upgrade auth0-webhooks" in left_out[1]["reason"]
    assert "its key is not its log id" in left_out[2]["reason"]


async def test_a_record_as_large_as_can_be_fits_into_a_letter_and_back(
    settings: TransportSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A busy machine needs its time for 16 MB.
    monkeypatch.setattr(clients, "REQUEST_TIMEOUT", 20.0)
    monkeypatch.setattr(producer, "DELIVERY", 40.0)
    monkeypatch.setattr(producer, "BOUND", 60.0)
    largest = dead_letter(1, random.Random(1).randbytes(MAX_RECORD - 10_000))
    async with dead_letters_of(settings) as dead_letters:
        await dead_letters.put(largest)
        assert await dead_letters.all() == [largest]
        await dead_letters.retry(largest)
        assert await dead_letters.all() == []


async def test_a_letter_too_large_for_the_topic_is_refused_with_the_remedy_and_harms_no_other(
    settings: TransportSettings,
) -> None:
    configure(settings, settings.dead_topic, max_message_bytes=BOUND)
    too_large = dead_letter(1, random.Random(1).randbytes(BOUND))
    async with dead_letters_of(settings) as dead_letters:
        for _ in range(2):
            with pytest.raises(
                PublishFailed, match=rf"too large for topic \S+dead: .* the topic has {BOUND}; raise it: kafka-con"
            ):
                await dead_letters.put(too_large)
        await dead_letters.put(dead_letter(2, b"x" * 3 * BOUND))  # compressed it is small
        configure(settings, settings.dead_topic, max_message_bytes=3 * BOUND)
        await dead_letters.put(too_large)
        assert {found.log_id for found in await dead_letters.all()} == {"id-1", "id-2"}


async def test_a_letter_that_only_the_brokers_find_too_large_harms_no_other(
    settings: TransportSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As without the right to see the topic's configuration."""
    monkeypatch.setattr(producer, "max_message_bytes", lambda *_: MAX_RECORD)
    configure(settings, settings.dead_topic, max_message_bytes=BOUND)
    async with dead_letters_of(settings) as dead_letters:
        with pytest.raises(PublishFailed, match=r"too large for topic .* raise it"):
            await dead_letters.put(dead_letter(1, random.Random(1).randbytes(BOUND)))
        await dead_letters.put(dead_letter(2))
        assert await dead_letters.all() == [dead_letter(2)]


async def test_a_letter_whose_record_the_topic_of_events_takes_no_more_stays(settings: TransportSettings) -> None:
    configure(settings, settings.topic, max_message_bytes=BOUND)
    async with dead_letters_of(settings) as dead_letters:
        await dead_letters.put(large := dead_letter(1, random.Random(1).randbytes(2 * BOUND)))
        with pytest.raises(PublishFailed, match=f"too large for topic {settings.topic}:"):
            await dead_letters.retry(large)
        assert await dead_letters.all() == [large]


async def test_without_their_topic_letters_do_not_open_and_the_command_is_named(kafka: Broker, names: Names) -> None:
    settings = TransportSettings(bootstrap_servers=(kafka.bootstrap,), topic=names.topic)
    with pytest.raises(TransportUnusable, match=rf"missing .* topic {settings.dead_topic}; run `auth0-webhooks topics create`"):
        async with dead_letters_of(settings):
            pass


async def test_without_the_topic_of_events_nothing_is_retried(settings: TransportSettings) -> None:
    delete(settings, settings.topic)
    async with dead_letters_of(settings) as dead_letters:
        await dead_letters.put(dead_letter(1))
        with pytest.raises(PublishFailed, match=f"missing .* topic {settings.topic};"):
            await dead_letters.retry(dead_letter(1))
        assert await dead_letters.all() == [dead_letter(1)]
