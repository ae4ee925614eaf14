"""Brokers that go and come back under dead letters and the control table."""

from __future__ import annotations

import time

import pytest

from shared.errors import PublishFailed, TransportUnusable
from shared.settings import TransportSettings
from tests.integration.kafka_operator.fixtures import control_of, dead_letter, dead_letters_of
from tests.support.kafka.broker import Broker

pytestmark = pytest.mark.outages


async def test_a_broker_that_was_away_in_between_costs_nothing(patient: Broker, its_settings: TransportSettings) -> None:
    async with dead_letters_of(its_settings) as dead_letters, control_of(its_settings) as control:
        await dead_letters.put(dead_letter(1))
        await control.put("a", b"1")
        assert await control.snapshot() == {"a": b"1"}
        patient.kill()
        patient.start()
        await dead_letters.put(dead_letter(2))
        await control.put("b", b"2")
        assert await control.snapshot() == {"a": b"1", "b": b"2"}
        assert await dead_letters.all() == [dead_letter(1), dead_letter(2)]


async def test_while_the_broker_is_frozen_all_fails_soon_and_heals_with_it(
    patient: Broker, its_settings: TransportSettings
) -> None:
    async with dead_letters_of(its_settings) as dead_letters, control_of(its_settings) as control:
        await dead_letters.put(dead_letter(1))
        await control.put("a", b"1")
        assert await control.snapshot() == {"a": b"1"}
        patient.freeze()
        began = time.monotonic()
        with pytest.raises(TransportUnusable, match=r"Kafka failed while reading topic .*control"):
            await control.snapshot()
        assert time.monotonic() - began < 12
        with pytest.raises(PublishFailed, match=r"Kafka failed while writing to topic .*dead"):
            await dead_letters.put(dead_letter(2))
        patient.thaw()
        await dead_letters.put(dead_letter(2))
        assert await dead_letters.all() == [dead_letter(1), dead_letter(2)]
        assert await control.snapshot() == {"a": b"1"}
        await control.put("a", b"2")
        assert await control.snapshot() == {"a": b"2"}


async def test_closing_is_quick_while_the_broker_is_frozen(patient: Broker, its_settings: TransportSettings) -> None:
    async with dead_letters_of(its_settings) as dead_letters, control_of(its_settings) as control:
        await dead_letters.put(dead_letter(1))
        await control.put("a", b"1")
        await control.snapshot()
        patient.freeze()
        began = time.monotonic()
        await dead_letters.close()
        await control.close()
        assert time.monotonic() - began < 12
        patient.thaw()
