"""Delivery is paused and resumed by the control table, on every transport."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from consumer.worker import Worker
from shared.documents import desired
from shared.documents.desired import DesiredDelivery
from shared.transport.port import Table
from simulator.receiver import Receiver
from tests.contract.harness import events, publish
from tests.integration.workers import ids, running, until, worker
from tests.support.transports import Log, make


@pytest.fixture(params=["sqlite", "kafka"])
def log(request: pytest.FixtureRequest) -> Log:
    return make(request.param, request)


class _OperatorOf:
    def __init__(self, control: Table) -> None:
        self.control = control

    async def ask(self, *, paused: bool) -> DesiredDelivery:
        wanted = DesiredDelivery.new(paused=paused, by="ada", why="migration", now=time.time())
        await self.control.put(desired.KEY, wanted.encode())
        return wanted

    async def ask_and_wait(self, one: Worker, *, paused: bool) -> None:
        wanted = await self.ask(paused=paused)
        await until(lambda: one.desired.known == wanted)


@asynccontextmanager
async def _operator(log: Log) -> AsyncIterator[_OperatorOf]:
    transport = log.transport()
    control = await transport.control()
    yield _OperatorOf(control)
    await control.close()
    await transport.close()


async def test_a_consumer_that_starts_while_paused_makes_no_call_and_goes_on_where_it_is_resumed(
    log: Log, receiver: Receiver
) -> None:
    sent = events(0, 40)
    await publish(log.transport(), sent)
    one = worker(receiver.url)
    async with _operator(log) as operator:
        await operator.ask(paused=True)
        async with running(one, log.transport()):
            await until(lambda: one.state.in_window == 40, within=30)
            await asyncio.sleep(0.3)
            assert one.state.paused
            assert len(receiver.journal) == 0
            await operator.ask_and_wait(one, paused=False)
            await receiver.journal.wait_for(40, timeout=20)
    assert sorted(receiver.journal.delivered) == sorted(ids(sent))
    assert receiver.journal.duplicates == ()


async def test_open_calls_end_none_begins_and_nothing_is_lost_or_repeated(log: Log, receiver: Receiver) -> None:
    receiver.latency = 0.05
    sent = events(0, 120)
    await publish(log.transport(), sent)
    one = worker(receiver.url)
    async with _operator(log) as operator, running(one, log.transport()):
        for pause in range(3):
            await receiver.journal.wait_for(10 + 25 * pause, timeout=30)
            await operator.ask_and_wait(one, paused=True)
            await until(lambda: one.state.in_flight == 0)
            before = len(receiver.journal)
            await asyncio.sleep(0.3)
            assert len(receiver.journal) == before
            await operator.ask_and_wait(one, paused=False)
        await receiver.journal.wait_for(120, timeout=30)
    assert sorted(receiver.journal.delivered) == sorted(ids(sent))
    assert receiver.journal.duplicates == ()
    assert receiver.journal.disorder() == []


async def test_the_calls_come_back_one_after_the_other(log: Log, receiver: Receiver) -> None:
    receiver.latency = 0.2
    await publish(log.transport(), events(0, 40))
    one = worker(receiver.url)
    async with _operator(log) as operator:
        await operator.ask(paused=True)
        async with running(one, log.transport()):
            await until(lambda: one.state.in_window == 40, within=30)
            await operator.ask_and_wait(one, paused=False)
            await receiver.journal.wait_for(20, timeout=20)
    first, second = (entry.call.arrived_ns for entry in receiver.journal.all[:2])
    assert second >= receiver.journal.all[0].answered_ns, "the second call waits for the response to the first"
    assert first < second


@pytest.mark.parametrize("text", [b"rubbish", b'{"v": 99, "paused": true}', b"\xff" * 100])
async def test_delivery_goes_on_beside_a_desired_state_that_cannot_be_read(log: Log, receiver: Receiver, text: bytes) -> None:
    await publish(log.transport(), events(0, 5))
    async with _operator(log) as operator:
        await operator.control.put(desired.KEY, text)
        async with running(worker(receiver.url), log.transport()):
            await receiver.journal.wait_for(5, timeout=30)


async def test_a_pause_outlives_a_control_table_that_is_emptied_or_filled_with_rubbish(log: Log, receiver: Receiver) -> None:
    await publish(log.transport(), events(0, 5))
    one = worker(receiver.url)
    async with _operator(log) as operator:
        await operator.ask(paused=True)
        async with running(one, log.transport()):
            await until(lambda: one.state.in_window == 5, within=30)
            for number in range(20):
                await operator.control.put(f"replica/{number}", b"rubbish")
            await operator.control.delete(desired.KEY)
            await asyncio.sleep(1.5)
            await operator.control.put(desired.KEY, b"rubbish")
            await asyncio.sleep(1.5)
            assert len(receiver.journal) == 0
            await operator.ask(paused=False)
            await receiver.journal.wait_for(5, timeout=20)
