"""What a process says about itself in the control table, while it works and when it ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from admin.actions.looking.status_view import StatusView
from admin.actions.run import serve
from admin.replica import ReplicaReporter
from consumer.worker import Worker
from shared.control import ControlFollower
from shared.documents.replica import FORGOTTEN, EventState, ReplicaDocument, ReplicaRole, replicas
from shared.errors import PublishFailed, TransportUnusable
from shared.transport.port import Table
from shared.transport.sqlite.file import File
from shared.transport.sqlite.tables import CONTROL, SqliteTable
from shared.words import BreakerState
from simulator.receiver import Receiver
from tests.contract.harness import event, publish
from tests.integration.workers import policy, worker
from tests.support import faults
from tests.support.transports import Log, make


@pytest.fixture(params=["sqlite", "kafka"])
def log(request: pytest.FixtureRequest) -> Log:
    return make(request.param, request)


def _reporter(loops: tuple[Worker, ...] = (), **clocks: Callable[[], float]) -> ReplicaReporter:
    role, webhook = ReplicaRole.CONSUME, "https://example.com"
    return ReplicaReporter(loops, role=role, version="1.2", tenant="", webhook=webhook, group="", **clocks)


async def _when(control: Table, condition: Callable[[list[ReplicaDocument]], bool]) -> list[ReplicaDocument]:
    async with asyncio.timeout(30):
        while True:
            found = list(replicas(await control.snapshot()).values())
            if condition(found):
                return found
            await asyncio.sleep(0.05)


async def test_a_replica_tells_what_it_owns_what_is_under_way_and_what_came_of_it_and_goes_with_its_process(
    log: Log, receiver: Receiver
) -> None:
    failing, slow = event(0, user="auth0|0"), event(1, user="auth0|1")
    later = faults.status(503, headers=(("Retry-After", "60"),))  # a drawn pause may be short
    receiver.script.add(later, when=lambda call: call.log_id == failing.log_id)
    receiver.script.add(faults.slow(20), when=lambda call: call.log_id == slow.log_id)
    await publish(log.transport(), [failing, slow, event(2, user="auth0|0")])
    one, stop = worker(receiver.url, how=policy(base=50, cap=100), breaker_failures=1000), asyncio.Event()
    transport = log.transport()
    control = await transport.control()
    dead = replace(_reporter().document(), id="killed", seen=time.time() - FORGOTTEN - 1)
    resting = replace(dead, id="stale", seen=time.time() - FORGOTTEN + 60)
    for document in (dead, resting):
        await control.put(document.key, document.encode())

    def is_under_way(found: list[ReplicaDocument]) -> bool:
        states = {e.log_id: e.state for r in found if r.consumer for e in r.consumer.events}
        return states.get(failing.log_id) is EventState.RETRYING and states.get(slow.log_id) is EventState.IN_FLIGHT

    serving = asyncio.create_task(serve(log.transport(), [one], stop, reporter=_reporter((one,))))
    found = await _when(control, is_under_way)
    (ours,) = (document for document in found if document.id not in ("killed", "stale"))
    assert {document.id for document in found} - {ours.id} == {"stale"}, "one that was killed long ago is removed by anyone"
    assert ours.consumer is not None
    assert ours.poller is None
    assert (ours.role, ours.version, ours.consumer.webhook) == (ReplicaRole.CONSUME, "1.2", "https://example.com")
    assert (ours.consumer.share, ours.consumer.window_events, ours.consumer.in_flight) == (5, 3, 1)
    assert (ours.consumer.waiting_retry_events, ours.counts["failed_attempts"]) == (1, 1)
    assert ours.consumer.breaker.state is BreakerState.CLOSED
    retrying = next(e for e in ours.consumer.events if e.log_id == failing.log_id)
    assert (retrying.attempts, retrying.last_outcome, retrying.oldest) == (1, "answered 503", True)
    assert retrying.next_try is not None
    assert time.time() < retrying.next_try < time.time() + 400
    assert 0 <= time.time() - retrying.since < 60
    stop.set()
    await serving
    assert [document.id for document in replicas(await control.snapshot()).values()] == ["stale"]
    await control.close()
    await transport.close()


@pytest.mark.parametrize("log", ["kafka"], indirect=True)
@pytest.mark.parametrize("off", [-40.0, -400.0])
async def test_a_process_whose_clock_is_off_is_not_stale_while_it_writes(log: Log, receiver: Receiver, off: float) -> None:
    one, stop, transport = worker(receiver.url), asyncio.Event(), log.transport()
    reporter = _reporter((one,), clock=lambda: time.time() + off)
    serving = asyncio.create_task(serve(log.transport(), [one], stop, reporter=reporter))
    control = await transport.control()
    await _when(control, lambda found: any(r.consumer.partitions for r in found if r.consumer))
    view = StatusView(transport, {"transport": "Kafka"})
    assert (await view.look()).doubtful
    seen = await view.look_for_sure()
    assert [row.owner for row in seen.partitions] == [reporter.id] * len(seen.partitions)
    assert (len(seen.consumer_reports), seen.unknown) == (1, ())
    stop.set()
    await serving
    for opened in (view, control, transport):
        await opened.close()


class _CountingTable(SqliteTable):
    puts = 0
    refuses = away = False

    async def snapshot(self) -> Mapping[str, bytes]:
        if self.away:
            raise TransportUnusable("it is away")
        return await super().snapshot()

    async def put(self, key: str, document: bytes) -> None:
        self.puts += 1
        if self.refuses:
            raise PublishFailed("no right to write")
        await super().put(key, document)


async def test_a_document_is_written_each_five_seconds_and_when_something_changes_at_most_once_a_second(tmp_path: Path) -> None:
    one, now = worker("http://127.0.0.1:1/"), 1000.0
    follower = ControlFollower([_reporter((one,), steady=lambda: now)], asyncio.Event())
    table = _CountingTable(await File.open(tmp_path / "log.db"), CONTROL)

    async def after(seconds: float) -> int:
        nonlocal now
        now += seconds
        before = table.puts
        await follower.look(table)
        return table.puts - before

    assert [await after(0.5) for _ in range(20)] == [1, *[0] * 9, 1, *[0] * 9]
    one.share(3)
    assert await after(0.25) == 1
    one.share(2)
    assert [await after(0.25) for _ in range(5)] == [0, 0, 0, 1, 0]
    table.refuses = True
    assert [await after(1) for _ in range(5)] == [0, 0, 0, 0, 1]
    one.share(1)
    assert [await after(1) for _ in range(30)] == [*[0] * 29, 1], "without the right to write each try makes a new client"
    table.refuses = False
    assert [await after(1) for _ in range(30)] == [*[0] * 29, 1]
    await table.close()
    await one._dispatcher.close()


async def test_what_nobody_writes_anew_for_ten_minutes_goes_whatever_it_says(tmp_path: Path) -> None:
    """Rubbish, documents of another release, and those of a process whose clock is ahead."""
    now = 1000.0
    follower = ControlFollower([_reporter(steady=lambda: now)], asyncio.Event())
    table = SqliteTable(await File.open(tmp_path / "log.db"), CONTROL)
    ahead, alive = (replace(_reporter().document(), id=name, seen=time.time() + 5000) for name in ("ahead", "alive"))
    left = {"replica/rubbish": b"rubbish", "replica/newer": b'{"v": 99}', ahead.key: ahead.encode()}
    for key, document in {**left, "gap/rubbish": b"rubbish"}.items():
        await table.put(key, document)

    async def after(seconds: int) -> set[str]:
        nonlocal now
        for second in range(seconds):
            now += 1
            await table.put(alive.key, replace(alive, seen=alive.seen + second).encode())
            await follower.look(table)
        return set(await table.keys())

    assert await after(500) > left.keys()
    now += 700  # an outage, or the machine slept
    assert await after(599) > left.keys()
    kept = await after(65)
    assert not kept & left.keys()
    assert kept >= {alive.key, "gap/rubbish"}
    await table.close()


async def test_each_outage_of_the_control_table_is_told_once_and_so_is_its_end(
    tmp_path: Path,
) -> None:
    follower = ControlFollower([], asyncio.Event())
    table = _CountingTable(await File.open(tmp_path / "log.db"), CONTROL)
    with capture_logs() as lines:
        for away in (True, True, False, False, True, True, False):
            table.away = away
            await follower.look(table)
    gone, back = "the control table cannot be read or written at the moment", "the control table can be read again"
    assert [line["event"] for line in lines] == [gone, back, gone, back]
    await table.close()
