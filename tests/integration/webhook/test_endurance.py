"""Many calls broken off, and responses without an end: nothing is left behind."""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path

import pytest

from simulator.receiver import Receiver
from tests.integration.webhook.caller import Caller, delivery
from tests.integration.webhook.certificates import Certificates
from tests.support import faults_floods


async def _break_off(caller: Caller, count: int) -> None:
    """Send bursts of calls, and break each off at a random moment."""
    dice = random.Random(1)
    for _ in range(count // 25):
        sent = [delivery(str(number)) for number in range(25)]
        results = [caller.start(one) for one in sent]
        for one, result in zip(sent, results, strict=True):
            if dice.random() < 0.3:
                await asyncio.sleep(dice.choice((0, 0, 0, 0.0005)))
            if not result.done():
                caller.webhook.cancel(one)


async def _is_well(caller: Caller, receiver: Receiver) -> None:
    before = caller.results
    for _ in range(5):
        assert all(attempt.status == 200 for attempt in await caller.calls(20))
    assert caller.results == before + 100
    await caller.no_connections_left(receiver, most=20)


@pytest.mark.parametrize("tls", [False], indirect=True)
async def test_thousands_of_calls_broken_off_then_all_is_well(caller: Caller, receiver: Receiver) -> None:
    receiver.latency = 0.001
    await _break_off(caller, 4_000)
    await _is_well(caller, receiver)


@pytest.mark.parametrize("tls", [True], indirect=True)
async def test_many_calls_broken_off_within_their_handshake(caller: Caller, receiver: Receiver) -> None:
    await _break_off(caller, 500)
    await _is_well(caller, receiver)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_memory_stays_flat_whatever_is_sent(receiver: Receiver, certificates: Certificates) -> None:
    async with Caller(receiver.url, tls=certificates.usual_client) as caller:
        await caller.calls(20)
        receiver.script.sometimes(1, faults_floods.endless_body(), faults_floods.huge_body(), faults_floods.header_flood())
        for _ in range(5):  # the most that is under way at one time has been once
            await caller.calls(20)
        before = _resident()
        for _ in range(10):
            await caller.calls(20)
        assert _resident() - before < 10_000_000
    assert len(receiver.script.fired) == 3


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


async def test_nothing_of_a_call_is_kept(plain_receiver: Receiver) -> None:
    async with Caller(plain_receiver.url) as caller:
        await _break_off(caller, 500)
        await caller.calls(10)
        webhook = caller.webhook
        assert webhook._calls == {}
        async with asyncio.timeout(20):
            while webhook._opening or set(webhook._idle) != webhook._connections:  # noqa: ASYNC110  the rest closes meanwhile
                await asyncio.sleep(0.005)
    assert webhook._connections == set()
