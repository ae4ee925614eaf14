"""The worker on a real log with a real receiver, in one event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from math import inf
from pathlib import Path

import pytest

from admin.actions.run import serve
from consumer.http.client import HttpWebhook
from consumer.policy import Policy
from consumer.scheduling.circuit_breaker import Breaker
from consumer.worker import Worker
from shared.backoff import Backoff
from shared.record import Record
from shared.transport.port import Member, PartitionRecords, Position, Table
from shared.transport.sqlite.file import File
from shared.transport.sqlite.tables import CONTROL, SqliteTable
from shared.transport.sqlite.transport import SqliteTransport
from simulator.receiver import Receiver
from tests.contract.harness import event, events, publish
from tests.integration.workers import committed, log_in, running, until, worker
from tests.support import faults


async def test_open_calls_reach_the_share_and_never_pass_it(tmp_path: Path, receiver: Receiver) -> None:
    receiver.latency = 0.02
    await publish(log_in(tmp_path), [event(n) for n in range(200)])
    async with running(worker(receiver.url), log_in(tmp_path, calls=7)):
        await receiver.journal.wait_for(200, timeout=20)
    assert receiver.open_calls.peak() == 7


async def test_a_failing_event_blocks_its_own_user_only(tmp_path: Path, receiver: Receiver) -> None:
    receiver.script.add(faults.status(500), when=lambda call: call.user_id == "auth0|3")
    sent = events(0, 70)
    await publish(log_in(tmp_path), sent)
    async with running(worker(receiver.url), log_in(tmp_path)):
        await receiver.journal.wait_for(60, timeout=20)
        assert {call.call.log_id for call in receiver.journal.all if call.status == 500} == {sent[3].log_id}
        receiver.script.clear()
        await receiver.journal.wait_for(70, timeout=20)
    assert receiver.journal.disorder() == []
    assert receiver.journal.duplicates == ()


async def test_a_waiting_retry_holds_no_place(tmp_path: Path, receiver: Receiver) -> None:
    """With one place and many failing events, the good one behind them is delivered."""
    receiver.script.add(faults.status(503), when=lambda call: call.user_id != "good")
    await publish(log_in(tmp_path), [*(event(n) for n in range(50)), event(50, user="good")])
    async with running(worker(receiver.url), log_in(tmp_path, calls=1)):
        await receiver.journal.wait_for(1, timeout=20)


async def test_the_window_bounds_what_is_taken_while_the_webhook_is_down(tmp_path: Path, receiver: Receiver) -> None:
    receiver.script.add(faults.status(503))
    await publish(log_in(tmp_path), events(0, 500))
    one = worker(receiver.url, window=40)
    async with running(one, log_in(tmp_path)):
        for _ in range(20):
            await asyncio.sleep(0.05)
            assert one.state.in_window <= 40
        assert one.counts.taken == 40
        assert one.counts.failed_attempts > 10
        receiver.script.clear()
        await receiver.journal.wait_for(500, timeout=30)
    assert receiver.journal.disorder() == []


async def test_one_blocked_user_does_not_fill_the_window_of_the_others(tmp_path: Path, receiver: Receiver) -> None:
    """What is done beyond the blocked event does not count, so reading goes on."""
    receiver.script.add(faults.status(500), when=lambda call: call.user_id == "poison")
    await publish(log_in(tmp_path), [event(0, user="poison"), *(event(n) for n in range(1, 400))])
    one = worker(receiver.url, window=20)
    async with running(one, log_in(tmp_path)):
        await receiver.journal.wait_for(399, timeout=20)
        await until(lambda: one.state.done_beyond == 399)
    assert await committed(tmp_path) == 1
    receiver.script.clear()
    async with running(worker(receiver.url, window=20), log_in(tmp_path)):
        await receiver.journal.wait_for(400, timeout=20)
    assert receiver.journal.duplicates == ()  # what was done beyond it was remembered in the commit


async def test_a_stop_waits_for_open_calls_and_commits_them(tmp_path: Path, receiver: Receiver) -> None:
    receiver.latency = 0.4
    sent = events(0, 40)
    await publish(log_in(tmp_path), sent)
    async with running(worker(receiver.url), log_in(tmp_path)):
        await receiver.journal.wait_for(5, timeout=20)
        await asyncio.sleep(0.1)  # the next five are open now
    assert len(receiver.journal.all) == 10
    assert await committed(tmp_path) == 11
    receiver.latency = 0
    async with running(worker(receiver.url), log_in(tmp_path)):
        await receiver.journal.wait_for(40, timeout=20)
    assert receiver.journal.duplicates == ()


async def test_at_the_drain_timeout_calls_are_broken_off_and_made_again_later(tmp_path: Path, receiver: Receiver) -> None:
    receiver.script.add(faults.hang_before_headers(), times=5)
    await publish(log_in(tmp_path), events(0, 10))
    one = worker(receiver.url, drain_timeout=0.2)
    async with running(one, log_in(tmp_path)):
        await until(lambda: one.state.in_flight == 5)
    assert await committed(tmp_path) == 1
    async with running(worker(receiver.url), log_in(tmp_path)):
        await receiver.journal.wait_for(10, timeout=20)
    assert receiver.journal.disorder() == []


async def test_a_crash_repeats_no_more_than_the_window_however_seldom_positions_are_stored(
    tmp_path: Path, receiver: Receiver
) -> None:
    await publish(log_in(tmp_path), events(0, 200))
    watching = log_in(tmp_path)
    async with running(worker(receiver.url, window=20, commit_interval=60), log_in(tmp_path)):
        await receiver.journal.wait_for(200, timeout=20)
        assert (await watching.progress())[0].lag <= 20
    await watching.close()


class _InAnOutage(Member):
    """Goes on with what it has, and can store nothing."""

    def __init__(self, member: Member) -> None:
        self._member = member

    @property
    def session(self) -> float:
        return self._member.session

    async def poll(self, *, wait: float, limit: int, paused: Collection[int]) -> Sequence[PartitionRecords]:
        return await self._member.poll(wait=wait, limit=limit, paused=paused)

    async def commit(self, positions: Mapping[int, Position]) -> bool:
        return False

    async def close(self) -> None:
        await self._member.close()


async def test_while_positions_cannot_be_stored_no_more_than_the_window_is_sent(tmp_path: Path, receiver: Receiver) -> None:
    await publish(log_in(tmp_path), events(0, 100))
    log = log_in(tmp_path)
    one = worker(receiver.url, window=20)
    member = _InAnOutage(await log.member(one))
    for _ in range(20):
        await one.turn(member)
    assert len(receiver.journal) == 20
    assert one.state.in_window == 0
    await member.close()
    await one._dispatcher.close()
    await log.close()


async def test_an_unexpected_error_while_the_control_table_is_followed_ends_the_worker_after_its_commits(
    tmp_path: Path, receiver: Receiver
) -> None:
    class BrokenTable(SqliteTable):
        async def snapshot(self) -> Mapping[str, bytes]:
            if len(receiver.journal.delivered) < 3:
                return {}
            raise LookupError("a bug")

    class BrokenControl(SqliteTransport):
        async def control(self) -> Table:
            return BrokenTable(await File.open(tmp_path / "log.db"), CONTROL)

    await publish(log_in(tmp_path), events(0, 3))
    async with asyncio.timeout(10):
        with pytest.raises(LookupError):
            await serve(
                BrokenControl(tmp_path / "log.db", retention_days=1, concurrent_calls=5),
                [worker(receiver.url)],
                asyncio.Event(),
            )
    assert await committed(tmp_path) == 4


async def test_a_foreign_record_is_held_and_nothing_passes_it(tmp_path: Path, receiver: Receiver) -> None:
    one = worker(receiver.url)
    one.share(5)
    one.assigned(0, Position(0))
    good = Record(1, b"k", b"{}", [("v", b"1"), ("log-id", b"good")], 0.0)
    foreign = Record(0, b"k", b"not ours", [], 0.0)
    one._accept(PartitionRecords(0, [foreign, good]))
    one._dispatcher.launch()
    # The clock of the session counts from the last poll; without a member there is none.
    one._session = inf
    one._dispatcher.launch()
    await receiver.journal.wait_for(1, timeout=5)
    assert one.counts.held == 1
    positions = await one.revoked([0])
    await one._dispatcher.close()
    assert positions[0].offset == 0


async def test_a_result_that_comes_after_the_partition_was_lost_changes_nothing(tmp_path: Path, receiver: Receiver) -> None:
    receiver.latency = 0.1
    one = worker(receiver.url)
    one._session = inf
    one.share(1)
    one.assigned(0, Position(0))
    one._accept(PartitionRecords(0, [Record(0, b"k", b"{}", [("v", b"1"), ("log-id", b"a")], 0.0)]))
    one._dispatcher.launch()
    one.lost([0])
    one.assigned(0, Position(0))
    assert one.state.in_flight == 0
    await asyncio.sleep(0.2)
    assert one.counts.delivered == 0
    assert await one.revoked([0]) == {0: Position(0)}
    await one._dispatcher.close()


async def test_a_member_that_slept_through_its_session_sends_nothing(receiver: Receiver) -> None:
    now = [100.0]
    one = Worker(
        webhook=HttpWebhook(url=receiver.url, headers={}, timeout=5, connect_timeout=1),
        policy=Policy(backoff=Backoff(base=1, cap=1)),
        breaker=Breaker(failures=10, probe_interval=1, longest=1),
        window=10,
        commit_interval=1,
        drain_timeout=0,
        clock=lambda: now[0],
    )
    one._session = 6.0
    one.share(5)
    one.assigned(0, Position(0))
    one._accept(PartitionRecords(0, [Record(0, b"k", b"{}", [("v", b"1"), ("log-id", b"a")], 0.0)]))
    now[0] += 6.1
    one._dispatcher.launch()
    assert one.state.in_flight == 0
    one._polled = now[0]
    one._dispatcher.launch()
    assert one.state.in_flight == 1
    one.lost([0])
    await one._dispatcher.close()
