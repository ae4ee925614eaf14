"""Publisher and consumer as processes of their own, killed with SIGKILL in the middle of their work."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from shared.transport.port import Transport
from tests.contract.conftest import SESSION
from tests.contract.harness import ContractListener, events, joined, log_ids, poll_for, read
from tests.support.forked_program import ForkedProgram
from tests.support.transports import Log, make

#: A dozen processes come one after the other, and a thousand commits follow each other: on a busy disk that takes minutes.
pytestmark = [pytest.mark.outages, pytest.mark.timeout(600)]
COUNT = 2_000
KILLS = 5


@pytest.fixture(params=["sqlite", "kafka", "kafka by password"])
def log(request: pytest.FixtureRequest) -> Log:
    return make(request.param, request, session=SESSION)


def _kill_at_work(child: ForkedProgram, steps: int, pause: float) -> bool:
    """Kills it after `steps` lines and a moment. Returns whether it was still at work then."""
    for _ in range(steps):
        if not child.line():
            break
    time.sleep(pause)  # a random moment inside the next step: the kill must not always hit the same place
    return child.kill() == -signal.SIGKILL


async def _all_committed(transport: Transport) -> None:
    """Waits until all is committed, however slow the machine, as long as something moves."""
    before, deadline = 0, 0.0
    while left := await _lag(transport):
        if left != before:
            before, deadline = left, time.monotonic() + 60
        assert time.monotonic() < deadline, f"{left} records are left, and nothing moves"
        await asyncio.sleep(0.05)


async def _lag(transport: Transport) -> int:
    return sum(progress.lag for progress in (await transport.progress()).values())


async def test_each_event_is_in_the_log_once_though_the_publisher_is_killed(log: Log) -> None:
    chance = random.Random(5)
    arguments = ("publish", "0", str(COUNT), "7")
    hits = sum(_kill_at_work(log.child(*arguments), chance.randint(3, 20), chance.uniform(0, 0.01)) for _ in range(KILLS))
    assert hits >= KILLS - 1, "the kills did not hit a publisher at work"
    assert log.child(*arguments).wait() == 0
    async with joined(log, ContractListener()) as member:
        found = await read(member, COUNT)
        assert await poll_for(member, 0.5) == []
    assert sorted(log_ids(found)) == [sent.log_id for sent in events(0, COUNT)]
    for partition in {partition for partition, _ in found}:
        ids = log_ids([record for record in found if record[0] == partition])
        assert ids == sorted(ids)


async def test_nothing_is_skipped_though_the_consumer_is_killed(log: Log, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    assert log.child("publish", "0", "600", "50").wait() == 0
    chance = random.Random(7)
    hits = sum(
        _kill_at_work(log.child("consume", str(journal)), chance.randint(20, 60), chance.uniform(0, 0.01)) for _ in range(KILLS)
    )
    assert hits == KILLS, "the kills did not hit a consumer at work"
    before = Counter(journal.read_text().split())
    child = log.child("consume", str(journal))
    reading = asyncio.create_task(asyncio.to_thread(child.wait))
    transport = log.transport()
    try:
        await _all_committed(transport)
    finally:
        child.signal(signal.SIGKILL)
        await reading
        await transport.close()
    after = Counter(journal.read_text().split())
    assert sorted(after) == [sent.log_id for sent in events(0, 600)]
    assert len(before) >= 100
    # Each record is committed before the next one is written: a kill repeats at most the one in between.
    assert sum(after.values()) - len(after) <= KILLS + 1
