"""A broker that dies at any step of a start is waited for, and no cause is named that was not seen."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

import pytest
from structlog.testing import capture_logs

from shared.errors import TransportUnreachable, TransportUnusable
from shared.logging import get_logger
from shared.settings import TransportSettings
from shared.transport.kafka.client.preflight import check, wait_for_broker
from shared.transport.kafka.topics import topics
from shared.transport.kafka.topics.sizes import max_message_bytes
from shared.transport.kafka.transport import KafkaTransport
from tests.integration.kafka_adapter.conftest import SESSION
from tests.integration.kafka_adapter.consumers import RecordingListener, until
from tests.support.kafka.cutting import Gate
from tests.support.kafka.fixtures import Names

pytestmark = pytest.mark.outages

log = get_logger(__name__)
Start = Callable[[TransportSettings, float], Awaitable[None]]
PATIENCE: Final = 60.0


@pytest.fixture
def gate(kafka_gate: Gate) -> Iterator[Gate]:
    kafka_gate.cut()
    yield kafka_gate
    kafka_gate.cut()


@pytest.fixture
def settings(gate: Gate, names: Names) -> TransportSettings:
    settings = TransportSettings(
        bootstrap_servers=(gate.bootstrap,), topic=names.topic, group=names.group, session_timeout=SESSION
    )
    topics.create(settings)
    return settings


async def _reached(settings: TransportSettings, patience: float) -> KafkaTransport:
    assert await asyncio.to_thread(wait_for_broker, settings, patience, log)
    return KafkaTransport(settings, patience=patience)


async def _poller(settings: TransportSettings, patience: float) -> None:
    publisher = await (await _reached(settings, patience)).publisher()
    try:
        await publisher.acquire()
    finally:
        await publisher.close()


async def _consumer(settings: TransportSettings, patience: float) -> None:
    member = await (await _reached(settings, patience)).member(listener := RecordingListener())
    try:
        while len(listener.owned) < 6:
            await listener.poll(member)
    finally:
        await member.close()


async def _dead_letters(settings: TransportSettings, patience: float) -> None:
    await (await (await _reached(settings, patience)).dead_letters()).close()


async def _control(settings: TransportSettings, patience: float) -> None:
    await (await (await _reached(settings, patience)).control()).close()


STARTS: Final = [_poller, _consumer, _dead_letters, _control]


@pytest.mark.timeout(500)
@pytest.mark.parametrize("turned_away", [0, 2])
@pytest.mark.parametrize("start", STARTS, ids=lambda start: start.__name__.strip("_"))
async def test_a_start_comes_up_wherever_the_broker_breaks_off(
    gate: Gate, settings: TransportSettings, start: Start, turned_away: int
) -> None:
    for step in range(1, 200):
        gate.cut(step, turned_away=turned_away)
        async with asyncio.timeout(PATIENCE):
            await start(settings, PATIENCE)
        if not gate.cuts:
            break
    assert step > 5, "a start asks more than that"


@pytest.mark.parametrize("step", [1, 2, 3, 5])
async def test_a_start_that_never_comes_up_ends_with_what_was_seen_once_its_patience_is_over(
    gate: Gate, settings: TransportSettings, step: int
) -> None:
    gate.cut(*range(step, 5_000))
    with capture_logs() as lines, pytest.raises(TransportUnreachable, match=r"Kafka .*tried for 2 s") as raised:
        await _poller(settings, 2.0)
    assert "SASL" not in str(raised.value)
    assert {line["event"] for line in lines} <= {
        "Kafka cannot be reached yet; trying again",
        "Kafka broke off during the start; trying again",
    }


async def test_what_is_wrong_beside_a_broker_that_breaks_off_is_named(gate: Gate, names: Names) -> None:
    gate.cut(3)
    settings = TransportSettings(bootstrap_servers=(gate.bootstrap,), topic=names.topic, group=names.group)
    with pytest.raises(TransportUnusable, match="auth0-webhooks topics create") as raised:
        await _poller(settings, PATIENCE)
    assert not isinstance(raised.value, TransportUnreachable)


async def test_a_start_that_waits_for_its_broker_can_be_stopped(gate: Gate, settings: TransportSettings) -> None:
    gate.cut(*range(3, 5_000))
    transport = await _reached(settings, PATIENCE)
    with capture_logs() as lines:
        opening = asyncio.ensure_future(transport.publisher())
        await until(lambda: bool(lines), within=30)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening


async def test_the_bound_of_a_record_is_not_guessed_when_nothing_answers(gate: Gate, settings: TransportSettings) -> None:
    gate.cut(*range(1, 5_000))
    with pytest.raises(TransportUnreachable):
        await asyncio.to_thread(max_message_bytes, settings, settings.topic)


def test_a_server_that_breaks_off_when_asked_for_its_cluster_does_not_want_a_login(
    gate: Gate, settings: TransportSettings
) -> None:
    gate.cut(2)
    (fault,) = check(settings)
    assert "it closed the connection when asked for its cluster" in fault.what
    assert fault.heals
