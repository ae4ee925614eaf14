"""What differs on uvloop, which the product runs on where it is installed."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from rules.processes.process import ProcessCommand, RuleProcess
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


def test_what_is_sent_to_a_rule_process_that_has_closed_its_socket_raises_nothing(tmp_path: Path) -> None:
    """uvloop raises for a transport that is closed: chains that came between a kill and its report were delivered as failed."""
    code = "import os, sys, time; os.close(int(sys.argv[1])); time.sleep(60)"
    command = ProcessCommand(arguments=[sys.executable, "-c", code], environ={}, folder=tmp_path)

    async def ended() -> str:
        reason: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        process = await RuleProcess.start(command, on_message=lambda _: None, on_end=reason.set_result)
        try:
            while not reason.done():
                process.send({"is": "ping"})
                await asyncio.sleep(0.005)
        finally:
            await process.close()
        return reason.result()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(ended()) == "it closed its socket"
