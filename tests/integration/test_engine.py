"""What happens to events when the webhook is slow, down, flapping, picky or poisoned, on a real log with a real receiver."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from admin.actions.skip import SkipOutcome, skip
from consumer.scheduling.batch import Batching
from consumer.scheduling.circuit_breaker import BreakerState
from shared.documents.dead_letter import put
from shared.documents.skip import SkipReply, SkipRequest, SkipStatus
from shared.words import BatchForm, Ordering
from simulator.receiver import Receiver
from tests.contract.harness import event, events, publish
from tests.integration.workers import committed, dead, ids, log_in, policy, running, until, worker
from tests.support import faults

# -- order


async def test_ten_thousand_events_without_a_user_do_not_end_in_one_queue(tmp_path: Path, receiver: Receiver) -> None:
    """One of them always fails, and all others are delivered."""
    sent = [event(number) for number in range(10_000)]
    receiver.script.add(faults.status(500), when=lambda call: call.log_id == sent[17].log_id)
    await publish(log_in(tmp_path), *(sent[start : start + 1000] for start in range(0, 10_000, 1000)))
    async with running(worker(receiver.url, window=50), log_in(tmp_path, calls=20)):
        await receiver.journal.wait_for(9_999, timeout=60)


async def test_by_partition_nothing_overtakes_a_failing_event(tmp_path: Path, receiver: Receiver) -> None:
    sent = events(0, 30)
    receiver.script.add(faults.status(500), when=lambda call: call.log_id == sent[10].log_id)
    await publish(log_in(tmp_path), sent)
    one = worker(receiver.url, how=policy(ordering=Ordering.PARTITION))
    async with running(one, log_in(tmp_path)):
        await until(lambda: one.counts.failed_attempts > 5)
        assert list(receiver.journal.delivered) == ids(sent[:10])
        receiver.script.clear()
        await receiver.journal.wait_for(30, timeout=20)
    assert list(receiver.journal.delivered) == ids(sent)


async def test_without_order_a_failing_event_blocks_no_other(tmp_path: Path, receiver: Receiver) -> None:
    sent = [event(number, user="auth0|one") for number in range(30)]
    receiver.script.add(faults.status(500), when=lambda call: call.log_id == sent[0].log_id)
    await publish(log_in(tmp_path), sent)
    async with running(worker(receiver.url, how=policy(ordering=Ordering.NONE)), log_in(tmp_path)):
        await receiver.journal.wait_for(29, timeout=20)


# -- retries


async def test_retry_after_is_waited_for_and_capped(tmp_path: Path, receiver: Receiver) -> None:
    await publish(log_in(tmp_path), [event(0), event(1)])
    receiver.script.in_order(
        faults.status(503, headers=(("Retry-After", "1"),)), when=lambda call: call.log_id == event(0).log_id
    )
    receiver.script.in_order(
        faults.status(429, headers=(("Retry-After", "9" * 9),)), when=lambda call: call.log_id == event(1).log_id
    )
    began = time.monotonic()
    async with running(worker(receiver.url, how=policy(cap=1.5)), log_in(tmp_path)):
        await receiver.journal.wait_for(2, timeout=10)
    seconds = {
        delivery.call.log_id: delivery.call.arrived_ns / 1e9 - began
        for delivery in receiver.journal.all
        if delivery.status == 200
    }
    assert seconds[event(0).log_id] >= 1.0
    assert seconds[event(1).log_id] >= 1.5


async def test_the_attempt_number_and_the_id_tell_a_receiver_about_repeats(tmp_path: Path, receiver: Receiver) -> None:
    receiver.script.add(faults.status(500), times=2)
    await publish(log_in(tmp_path), events(0, 1))
    async with running(worker(receiver.url), log_in(tmp_path)):
        await receiver.journal.wait_for(1, timeout=10)
    assert [delivery.call.webhook_id for delivery in receiver.journal.all] == ids(events(0, 1)) * 3
    assert [delivery.call.attempt for delivery in receiver.journal.all] == ["1", "2", "3"]


async def test_calls_keep_to_the_rate(tmp_path: Path, receiver: Receiver) -> None:
    await publish(log_in(tmp_path), [event(number) for number in range(60)])
    async with running(worker(receiver.url, how=policy(rate=40.0)), log_in(tmp_path)):
        await receiver.journal.wait_for(60, timeout=20)
    arrivals = sorted(delivery.call.arrived_ns / 1e9 for delivery in receiver.journal.all)
    # A second, less what a busy machine may add to the way of the earlier one.
    assert all(later - at >= 0.95 for at, later in zip(arrivals, arrivals[40:], strict=False))


# -- the breaker


async def test_a_dead_webhook_is_probed_one_call_at_a_time_and_comes_back(tmp_path: Path, receiver: Receiver) -> None:
    receiver.script.add(faults.status(500))
    sent = [event(number) for number in range(200)]
    await publish(log_in(tmp_path), sent)
    one = worker(receiver.url, breaker_failures=5, probe_interval=0.1)
    async with running(one, log_in(tmp_path)):
        await until(lambda: one.state.breaker is BreakerState.OPEN)
        calls = len(receiver.journal)
        assert calls <= 5 + 5
        await asyncio.sleep(1.0)
        assert 1 <= len(receiver.journal) - calls <= 8  # probes at 0.1, 0.2, 0.4, 0.5, 0.5 s
        receiver.script.clear()
        await receiver.journal.wait_for(200, timeout=20)
        assert one.state.breaker is BreakerState.CLOSED
    assert receiver.journal.duplicates == ()
    assert receiver.journal.disorder() == []


async def test_calls_that_hang_from_before_an_outage_do_not_slow_the_way_back(tmp_path: Path, receiver: Receiver) -> None:
    """Five of eight hung until their timeout: the one call that the breaker allowed at first counted them too, and never went."""
    sent = [event(number) for number in range(60)]
    hanging = set(ids(sent[:5]))
    receiver.script.add(faults.hang_before_headers(), when=lambda call: call.log_id in hanging)
    receiver.script.add(faults.status(500), times=8, when=lambda call: call.log_id not in hanging)
    await publish(log_in(tmp_path), sent)
    one = worker(receiver.url, timeout=60.0, drain_timeout=0.1, breaker_failures=5, probe_interval=0.05)
    async with running(one, log_in(tmp_path, calls=8)):
        await until(lambda: one.counts.delivered == 55)
        assert one.state.in_flight == 5


async def test_an_outage_spends_no_attempts(tmp_path: Path, receiver: Receiver) -> None:
    """Events that waited out an outage do not become dead letters; the few that opened the breaker spent one attempt each."""
    receiver.script.add(faults.status(500), seconds=1.5)
    await publish(log_in(tmp_path), [event(number) for number in range(50)])
    one = worker(receiver.url, how=policy(max_attempts=2), breaker_failures=5, probe_interval=0.05)
    async with running(one, log_in(tmp_path)):
        await receiver.journal.wait_for(50, timeout=20)
    assert await dead(tmp_path) == []


async def test_a_dozen_poisoned_events_do_not_keep_the_breaker_open_for_the_others(tmp_path: Path, receiver: Receiver) -> None:
    """A restart took them up first: the breaker opened, and each of its probes, twice as late as the last, was one of them."""
    sent = [event(number) for number in range(60)]
    poisoned = set(ids(sent[:15]))
    receiver.script.add(faults.status(500), when=lambda call: call.log_id in poisoned)
    await publish(log_in(tmp_path), sent)
    one = worker(receiver.url, breaker_failures=5, probe_interval=0.2, longest_probe_interval=60)
    async with running(one, log_in(tmp_path)):
        await receiver.journal.wait_for(45, timeout=10)


async def test_poisoned_events_become_dead_letters_also_where_nothing_else_is_left(tmp_path: Path, receiver: Receiver) -> None:
    """All that failed had opened the breaker, and its probes spent no attempts: nothing ever moved again."""
    receiver.script.add(faults.status(422))
    await publish(log_in(tmp_path), [event(number) for number in range(8)])
    one = worker(receiver.url, how=policy(max_attempts=3), breaker_failures=5, probe_interval=0.05)
    async with running(one, log_in(tmp_path)):
        await until(lambda: one.counts.dead == 8)
    assert await committed(tmp_path) == 9


async def test_a_window_of_poisoned_users_moves_on_with_each_dead_letter(tmp_path: Path, receiver: Receiver) -> None:
    """Each probe was another one's, and came twice as late as the last: 120 of them before the first event behind was sent."""
    sent = [event(number, user=f"auth0|{number % 15}") for number in range(75)]
    poisoned = set(ids(sent[:15]))
    receiver.script.add(faults.status(422), when=lambda call: call.log_id in poisoned)
    await publish(log_in(tmp_path), sent)
    one = worker(
        receiver.url, how=policy(max_attempts=8, cap=60), breaker_failures=5, probe_interval=0.05, longest_probe_interval=60
    )
    async with running(one, log_in(tmp_path)):
        await receiver.journal.wait_for(60, timeout=20)
        await until(lambda: one.counts.dead == 15)
    assert await committed(tmp_path) == 76


async def test_410_opens_the_breaker_at_once(tmp_path: Path, receiver: Receiver) -> None:
    receiver.script.add(faults.status(410), times=3)
    await publish(log_in(tmp_path), [event(number) for number in range(20)])
    one = worker(receiver.url, probe_interval=0.2)
    async with running(one, log_in(tmp_path, calls=1)):
        await until(lambda: one.state.breaker is BreakerState.OPEN)
        assert len(receiver.journal) == 1
        await receiver.journal.wait_for(20, timeout=20)


# -- dead letters


async def test_a_poison_event_becomes_a_dead_letter_and_its_user_goes_on(tmp_path: Path, receiver: Receiver) -> None:
    sent = events(0, 40)
    receiver.script.add(faults.status(422), when=lambda call: call.log_id == sent[3].log_id)
    await publish(log_in(tmp_path), sent)
    one = worker(receiver.url, how=policy(max_attempts=3))
    async with running(one, log_in(tmp_path)):
        await receiver.journal.wait_for(39, timeout=20)
        await until(lambda: one.counts.dead == 1)
    (letter,) = await dead(tmp_path)
    assert (letter.log_id, letter.attempts, letter.status, letter.record.value) == (sent[3].log_id, 3, 422, sent[3].raw)
    assert letter.record.offset == 4
    assert len([call for call in receiver.journal.all if call.status == 422]) == 3
    assert await committed(tmp_path) == 41
    assert receiver.journal.disorder() == []


async def test_the_position_waits_for_the_dead_letters_acknowledgement(tmp_path: Path, receiver: Receiver) -> None:
    """The log cannot take the letter: the event stays, and so does the position; nothing else waits."""
    sent = events(0, 20)
    receiver.script.add(faults.status(422), when=lambda call: call.log_id == sent[0].log_id)
    await publish(log_in(tmp_path), sent)
    other = sqlite3.connect(tmp_path / "log.db", isolation_level=None)
    other.execute("ALTER TABLE dead_letter RENAME TO hidden")
    one = worker(receiver.url, how=policy(max_attempts=1))
    async with running(one, log_in(tmp_path)):
        await receiver.journal.wait_for(13, timeout=20)  # all but the poisoned user's three
        await asyncio.sleep(0.3)
        assert (one.counts.dead, one.state.in_window) == (0, 3)
        other.execute("ALTER TABLE hidden RENAME TO dead_letter")
        await receiver.journal.wait_for(19, timeout=20)
    other.close()
    assert ids([sent[0]]) == [letter.log_id for letter in await dead(tmp_path)]
    assert await committed(tmp_path) == 21


async def test_an_operator_skips_a_blocking_event(tmp_path: Path, receiver: Receiver) -> None:
    sent = events(0, 30)
    receiver.script.add(faults.status(500), when=lambda call: call.log_id == sent[0].log_id)
    await publish(log_in(tmp_path), sent)
    one = worker(receiver.url, how=policy(cap=60))
    async with running(one, log_in(tmp_path)):
        await until(lambda: one.state.waiting_for_retry == 1)
        assert await _skip(tmp_path, sent[0].log_id) is SkipOutcome.SET_ASIDE
        await receiver.journal.wait_for(29, timeout=20)
    (letter,) = await dead(tmp_path)
    assert (letter.log_id, letter.reason) == (sent[0].log_id, "skipped by kim: malformed")
    assert await committed(tmp_path) == 31


async def test_a_skip_that_is_withdrawn_while_the_call_is_open_leaves_the_event_alone(tmp_path: Path, receiver: Receiver) -> None:
    sent = events(0, 3)
    receiver.script.add(faults.hang_before_headers(), when=lambda call: call.log_id == sent[0].log_id)
    await publish(log_in(tmp_path), sent)
    one = worker(receiver.url, timeout=4.0)
    async with running(one, log_in(tmp_path)):
        await until(lambda: one.state.in_flight == 1)
        stop = asyncio.Event()
        asking = asyncio.create_task(_skip(tmp_path, sent[0].log_id, stop=stop))
        await until(lambda: any(delivery.skip for delivery in one._window.owned[0].pending.values()))
        stop.set()
        assert await asking is SkipOutcome.WITHDRAWN
        receiver.script.clear()
        await receiver.journal.wait_for(3, timeout=20)
    assert await dead(tmp_path) == []
    assert await committed(tmp_path) == 4


async def test_a_skip_of_an_event_that_is_delivered_meanwhile_says_so(tmp_path: Path, receiver: Receiver) -> None:
    receiver.latency = 3.0
    sent = events(0, 1)
    await publish(log_in(tmp_path), sent)
    one = worker(receiver.url)
    async with running(one, log_in(tmp_path)):
        await until(lambda: one.state.in_flight == 1)
        assert await _skip(tmp_path, sent[0].log_id) is SkipOutcome.DELIVERED
    assert await dead(tmp_path) == []


async def test_every_copy_of_an_event_that_stands_in_the_log_several_times_is_skipped(tmp_path: Path, receiver: Receiver) -> None:
    receiver.script.add(faults.status(500))
    sent = events(0, 1)
    await publish(log_in(tmp_path), sent)
    first = worker(receiver.url, how=policy(max_attempts=1))
    async with running(first, log_in(tmp_path)):
        await until(lambda: first.counts.dead == 1)
    log = log_in(tmp_path)
    (letter,) = await dead(tmp_path)
    await log.retry_dead_letter(letter)
    dead_letters = await log.dead_letters()
    await put(dead_letters, letter)
    await dead_letters.close()
    await log.retry_dead_letter(letter)
    await log.close()
    one = worker(receiver.url, how=policy(cap=60))
    async with running(one, log_in(tmp_path)):
        await until(lambda: one.state.in_window == 2)
        assert await _skip(tmp_path, letter.log_id) is SkipOutcome.SET_ASIDE
        await until(lambda: one.state.in_window == 0)
    assert len(await dead(tmp_path)) == 1


async def test_nothing_is_left_in_the_control_table(tmp_path: Path, receiver: Receiver) -> None:
    """Neither of an operator who was killed, nor of a consumer; and a request that has expired is not acted on."""
    receiver.script.add(faults.status(500))
    sent = events(0, 1)
    await publish(log_in(tmp_path), sent)
    control = await log_in(tmp_path).control()
    now = time.time()
    for number, until_then in enumerate((now - 1, now - 10_000)):
        old = SkipRequest(id=f"old{number}", log_id=sent[0].log_id, by="kim", why="it", asked=now - 20_000, until=until_then)
        await control.put(old.key, old.encode())
    left = SkipReply(
        request="old1", member="gone", name="host:1", log_id=sent[0].log_id, status=SkipStatus.TAKEN, until=now - 10_000
    )
    await control.put(left.key, left.encode())
    await control.put("skip/900", b'{"v": 1, "by": "kim", "reason": "an older command"}')
    one = worker(receiver.url)
    with capture_logs() as lines:
        async with running(one, log_in(tmp_path)):
            async with asyncio.timeout(10):
                while (keys := set(await control.snapshot())) != {"skip/old0", "skip/900"}:
                    assert keys
                    await asyncio.sleep(0.05)
            await until(lambda: one.counts.failed_attempts > 5)
    await control.close()
    assert await dead(tmp_path) == []
    ignored = [line for line in lines if "ignored" in line["event"]]
    assert [line.get("key") or line["by"] for line in ignored] == ["skip/900", "kim", "kim"]


async def _skip(path: Path, log_id: str, *, stop: asyncio.Event | None = None) -> SkipOutcome:
    log = log_in(path)
    try:
        skipped = await skip(log, log_id, by="kim", reason="malformed", within=20.0, stop=stop or asyncio.Event())
    finally:
        await log.close()
    return skipped.outcome


# -- batches


@pytest.mark.parametrize("form", BatchForm)
async def test_events_go_in_batches_and_a_batch_is_retried_whole(tmp_path: Path, receiver: Receiver, form: BatchForm) -> None:
    sent = [event(number) for number in range(95)]
    receiver.script.add(faults.status(500), times=2)
    await publish(log_in(tmp_path), sent)
    batching = Batching(form=form, most=10, most_bytes=100_000, linger=0.05)
    one = worker(receiver.url, how=policy(batching=batching))
    async with running(one, log_in(tmp_path, calls=1)):
        await until(lambda: one.counts.delivered == 95)
    calls = receiver.journal.all
    failed = [call.call.webhook_id for call in calls if call.status == 500]
    assert failed[0] == f"{sent[0].log_id}+10"
    assert set(failed) <= {call.call.webhook_id for call in calls if call.status == 200}
    assert len(calls) <= 2 + 10 + 1
    bodies = [call.body for call in calls if call.status == 200]
    parsed = [
        json.loads(body) if form is BatchForm.ARRAY else [json.loads(line) for line in body.splitlines()] for body in bodies
    ]
    assert sorted(entry["log_id"] for entries in parsed for entry in entries) == ids(sent)


async def test_the_culprit_of_a_failing_batch_is_found(tmp_path: Path, receiver: Receiver) -> None:
    sent = [event(number) for number in range(40)]
    culprit = sent[13].log_id.encode()
    receiver.script.add(faults.status(500), when=lambda call: call.length > 0 and call.log_id.endswith("+10"))
    receiver.script.add(faults.status(500), when=lambda call: call.log_id == sent[13].log_id)
    await publish(log_in(tmp_path), sent)
    batching = Batching(form=BatchForm.ARRAY, most=10, most_bytes=100_000, linger=0.02)
    one = worker(receiver.url, how=policy(batching=batching, max_attempts=2))
    async with running(one, log_in(tmp_path)):
        await until(lambda: one.counts.dead == 1 and one.counts.delivered == 39)
    assert [letter.log_id.encode() for letter in await dead(tmp_path)] == [culprit]
    assert await committed(tmp_path) == 41


async def test_a_lone_event_waits_no_longer_than_the_linger(tmp_path: Path, receiver: Receiver) -> None:
    await publish(log_in(tmp_path), events(0, 1))
    batching = Batching(form=BatchForm.ARRAY, most=100, most_bytes=100_000, linger=0.1)
    async with running(worker(receiver.url, how=policy(batching=batching)), log_in(tmp_path)):
        await receiver.journal.wait_until(lambda journal: len(journal) == 1, timeout=5)
    assert receiver.journal.all[0].call.webhook_id == f"{event(0).log_id}+1"


async def test_one_busy_user_fills_batches_too(tmp_path: Path, receiver: Receiver) -> None:
    sent = [event(number, user="auth0|one") for number in range(100)]
    receiver.script.add(faults.status(500), times=1)
    await publish(log_in(tmp_path), sent)
    batching = Batching(form=BatchForm.ARRAY, most=25, most_bytes=100_000, linger=0.1)
    one = worker(receiver.url, how=policy(batching=batching))
    async with running(one, log_in(tmp_path)):
        await until(lambda: one.counts.delivered == 100)
    entries = [entry["log_id"] for call in receiver.journal.all if call.status == 200 for entry in json.loads(call.body)]
    assert entries == ids(sent)
    assert len(receiver.journal) <= 8
