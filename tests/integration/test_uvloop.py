"""What differs on uvloop, which the product runs on where it is installed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from simulator.receiver import Receiver
from tests.contract.harness import event, publish
from tests.integration.workers import log_in, policy, running, worker

uvloop = pytest.importorskip("uvloop")


def test_waits_of_less_than_a_millisecond_end(tmp_path: Path) -> None:
    """uvloop gives no timer for them but a plain handle, which knows no due time: a consumer ended with a traceback."""

    async def deliver() -> None:
        receiver = Receiver()
        await receiver.start()
        await publish(log_in(tmp_path), [event(number) for number in range(900)])
        async with running(worker(receiver.url, how=policy(rate=3_000.0)), log_in(tmp_path)):
            await receiver.journal.wait_for(900, timeout=20)
        await receiver.stop()

    failures: list[object] = []

    async def watched() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
        await deliver()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(watched())
    assert failures == []
