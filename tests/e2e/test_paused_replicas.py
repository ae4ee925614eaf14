"""Three replicas on Kafka are paused under load; one is killed meanwhile, and one joins."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Final

import pytest

from shared.transport.port import Progress
from simulator.tenant_log import TenantLog
from tests.e2e.stack import Stack
from tests.e2e.traffic import traffic
from tests.support.listed_log import ListedLog
from tests.support.transports import Log

pytestmark = [pytest.mark.outages, pytest.mark.parametrize("log", ["kafka"], indirect=True)]

StackOf = Callable[[TenantLog], Stack]
#: Seconds: three sessions of the group's members. With thirty it is the same, and takes too long for each run.
PAUSED: Final = 9.0


def test_nothing_is_lost_or_repeated_sent_or_committed_while_it_is_paused_and_nobody_loses_a_membership(
    stack_of: StackOf, log: Log
) -> None:
    tenant_log = ListedLog()
    stack = stack_of(tenant_log)
    stack.receiver.latency = 0.03
    journal = stack.receiver.journal
    with traffic(tenant_log, per_second=60) as log_ids:
        producer = stack.start("produce")
        crew = [stack.start("consume") for _ in range(3)]
        for process in crew:
            process.wait_for_log("partition assigned")
        stack.wait_delivered(100)
        assert stack.start("pause", "--reason", "migration", "--by", "ada", "--yes").wait(40) == 0
        time.sleep(1.0)
        calls, positions = len(journal), _positions(log)
        time.sleep(PAUSED)
        assert len(journal) == calls, "a call began later than a second after the command returned"
        assert _positions(log) == positions
        assert not any("partitions lost" in process.text for process in crew)
        killed = crew.pop()
        killed.kill()
        crew.append(stack.start("consume"))
        crew[-1].wait_for_log("partition assigned")
        time.sleep(1.0)
        assert len(journal) == calls, "one that joins while it is paused sends nothing"
        resume = stack.start("resume", "--yes")
        assert resume.wait(40) in (0, 3), resume.text
        assert resume.wait(40) == 0 or f":{killed.pid}:" in resume.text, "it names the killed one, until that counts as gone"
    stack.receiver.latency = 0
    stack.wait_delivered(len(log_ids), within=60)
    assert [process.stop() for process in (producer, *crew)] == [0, 0, 0, 0]
    assert sorted(journal.delivered) == log_ids
    assert journal.duplicates == ()
    assert journal.disorder() == []
    assert stack.receiver.open_calls.peak() <= 5


def _positions(log: Log) -> Mapping[int, int]:
    async def read() -> Mapping[int, Progress]:
        transport = log.transport()
        try:
            return await transport.progress()
        finally:
            await transport.close()

    return {number: one.committed.offset if one.committed else 0 for number, one in asyncio.run(read()).items()}
