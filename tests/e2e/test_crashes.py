"""Kills and stops of the whole process, at work."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable

import pytest

from simulator.tenant_log import TenantLog
from tests.e2e.stack import Stack, simple
from tests.support import faults
from tests.support.listed_log import ListedLog
from tests.support.position_observer import watching
from tests.support.transports import Log

StackOf = Callable[[TenantLog], Stack]
WINDOW = 50


def test_a_killed_run_loses_nothing_and_repeats_at_most_the_window(stack_of: StackOf) -> None:
    count, kills = 1_500, 4
    stack = stack_of(ListedLog(simple(range(count), users=40)))
    stack.receiver.latency = 0.002
    chance = random.Random(11)
    for number in range(kills):
        process = stack.start("run", WINDOW=str(WINDOW))
        stack.wait_delivered((number + 1) * 200)
        time.sleep(chance.uniform(0, 0.1))
        assert process.alive
        process.kill()
    before = len(stack.receiver.journal.delivered)
    assert before < count, "the kills did not hit a process at work"
    assert stack.start("run", "--once", WINDOW=str(WINDOW)).wait() == 0
    journal = stack.receiver.journal
    assert sorted(journal.delivered) == sorted(f"900{number:053d}" for number in range(count))
    assert len(journal.duplicates) <= kills * WINDOW
    assert journal.disorder() == []


@pytest.mark.outages
def test_a_run_killed_while_it_catches_up_repeats_50_events_and_what_was_under_way(stack_of: StackOf) -> None:
    """Five calls of 10 ms: 500 events a second at most. The default window and interval would repeat up to a second's work."""
    count, kills = 4_000, 4
    stack = stack_of(ListedLog(simple(range(count), users=count)))
    stack.receiver.latency = 0.01
    for number in range(kills):
        process = stack.start("run", WEBHOOK_CONCURRENT_CALLS="5", COMMIT_INTERVAL="")
        stack.wait_delivered((number + 1) * 700)
        process.kill()
    assert len(stack.receiver.journal.delivered) < count, "the kills did not hit a process at work"
    assert stack.start("run", "--once").wait() == 0
    assert len(stack.receiver.journal.delivered) == count
    assert len(stack.receiver.journal.duplicates) <= kills * 60


def test_the_committed_position_is_never_ahead_of_a_200(stack_of: StackOf, log: Log) -> None:
    stack = stack_of(ListedLog(simple(range(400), users=25)))
    stack.receiver.latency = 0.01
    stack.receiver.script.sometimes(0.2, faults.status(500), faults.close(), faults.slow(0.1))
    with watching(log.transport, stack.receiver.journal) as watch:
        process = stack.start("run")
        stack.wait_delivered(150)
        process.kill()
        process = stack.start("run")
        stack.wait_delivered(400, within=60)
        assert process.stop() == 0
    records = log.dump()
    assert len(records) == 400
    assert watch.ahead(records) == []
    assert watch.looks > 20
    assert len(watch.samples) > 5
    assert all(offset < watch.last[partition].offset for partition, offset in records)


def test_sigterm_drains_commits_and_ends_well(stack_of: StackOf) -> None:
    stack = stack_of(ListedLog(simple(range(100), users=100)))
    stack.receiver.latency = 0.5
    process = stack.start("run")
    stack.wait_delivered(5)
    time.sleep(0.1)
    began = time.monotonic()
    assert process.stop(signal.SIGTERM) == 0
    assert time.monotonic() - began < 10
    done = len(stack.receiver.journal.delivered)
    # What was open when the signal came was waited for, and no more was begun: that would have gone on to the last event.
    assert 10 <= done < 100
    stack.receiver.latency = 0
    assert stack.start("run", "--once").wait() == 0
    assert len(stack.receiver.journal) == 100
    assert stack.receiver.journal.duplicates == ()


def test_a_stop_with_a_hanging_webhook_ends_within_the_grace(stack_of: StackOf) -> None:
    stack = stack_of(ListedLog(simple(range(10))))
    stack.receiver.script.add(faults.hang_before_headers())
    process = stack.start("run", DRAIN_TIMEOUT="0.5", STOP_GRACE="5")
    stack.until(lambda: stack.receiver.open_calls.now >= 1)
    began = time.monotonic()
    assert process.stop(signal.SIGINT) == 0
    assert time.monotonic() - began < 20
    assert "broken off" in process.text


def test_a_second_signal_ends_at_once(stack_of: StackOf) -> None:
    stack = stack_of(ListedLog(simple(range(10))))
    stack.receiver.script.add(faults.hang_before_headers())
    process = stack.start("run", DRAIN_TIMEOUT="20")
    stack.until(lambda: stack.receiver.open_calls.now >= 1)
    process.send(signal.SIGTERM)
    process.wait_for_log("a second signal ends at once")
    began = time.monotonic()
    assert process.stop(signal.SIGTERM) == 128 + signal.SIGTERM
    assert time.monotonic() - began < 15
