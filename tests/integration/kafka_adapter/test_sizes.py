"""Events that are too large for the topic: a gap that is logged, and the page goes on."""

from __future__ import annotations

import hashlib
import random

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from structlog.typing import EventDict

from shared.errors import PublishFailed
from shared.event import Event
from shared.settings import TransportSettings
from shared.transport.kafka.publish import publisher as publishers
from tests.contract.harness import checkpoint_of, event, events
from tests.integration.kafka_adapter.conftest import Lines
from tests.integration.kafka_adapter.pages import ids, in_topic, leading, once

BOUND = 20_000


@pytest.fixture
def small(settings: TransportSettings) -> TransportSettings:
    """A topic that takes records of `BOUND` bytes."""
    admin = KafkaAdminClient(bootstrap_servers=list(settings.bootstrap_servers))
    resource = ConfigResource(ConfigResourceType.TOPIC, settings.topic, configs={"max.message.bytes": str(BOUND)})
    admin.alter_configs([resource])
    admin.close()
    return settings


def _page() -> tuple[Event, list[Event]]:
    """One event that is too large among others; and one that only is until it is compressed."""
    noise = random.Random(3).randbytes(BOUND).hex()
    large = event(5, user="u", extra=f', "noise": "{noise}"')
    return large, [*events(0, 5), large, event(6, user="u", extra=f', "spaces": "{"x" * 3 * BOUND}"'), *events(7, 20)]


def _assert_is_gap(line: EventDict, large: Event) -> None:
    assert (line["log_id"], line["size"]) == (large.log_id, len(large.raw))
    assert line["sha256"] == hashlib.sha256(large.raw).hexdigest()


async def test_an_event_too_large_for_the_topic_is_a_gap_and_the_checkpoint_passes_it(
    small: TransportSettings, lines: Lines
) -> None:
    large, page = _page()
    publisher = await leading(small)
    assert list(publisher.too_large(page)) == [large]
    assert await publisher.publish(page, checkpoint_of(page)) == 19
    assert await publisher.acquire() == checkpoint_of(page)
    await publisher.close()
    (gap,) = lines("gap: event too large")
    _assert_is_gap(gap, large)
    assert in_topic(small) == once([*ids(0, 5), *ids(6, 20)])


async def test_an_event_that_only_the_brokers_find_too_large_is_found_out_and_is_a_gap(
    small: TransportSettings, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As without the right to see the topic's configuration."""
    monkeypatch.setattr(publishers, "max_message_bytes", lambda *_: 8_000_000)
    large, page = _page()
    publisher = await leading(small)
    failures = 0
    while True:
        try:
            await publisher.publish(page, checkpoint_of(page))
            break
        except PublishFailed:
            failures += 1
            await publisher.acquire()
    assert failures == 2
    assert list(publisher.too_large(page)) == [large]
    page = events(20, 40)
    assert await publisher.publish(page, checkpoint_of(page)) == 20
    await publisher.close()
    _assert_is_gap(lines("gap: event too large")[0], large)
    assert in_topic(small) == once([*ids(0, 5), *ids(6, 40)])
