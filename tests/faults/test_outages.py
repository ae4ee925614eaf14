"""C-5, C-6: a webhook that is down for hours or always slow costs time and nothing else. The hours are compressed: a
member may stay away from its group for 3 s instead of 60, and the outage lasts twelve times that.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

import pytest

from tests.faults.fault_stack import FaultProcess, FaultStack, fault_stack
from tests.faults.log_probe import KafkaProbe
from tests.faults.oracle import examine_and_show
from tests.faults.sampler import Usage
from tests.support import faults
from tests.support.background import run_on
from tests.support.fork_server import ForkServer
from tests.support.kafka.broker import Broker

_MAX_POLL_INTERVAL: Final = 3.0
_PATCHES: Final = {
    "shared.transport.kafka.group.client.MAX_POLL_INTERVAL": _MAX_POLL_INTERVAL,
    "shared.transport.kafka.group.member._DRAIN_BOUND": 2.5,
}
_OUTAGE: Final = 12.5 * _MAX_POLL_INTERVAL


@pytest.mark.timeout(150)
def test_hours_without_a_webhook_cost_no_membership_and_no_memory(
    kafka: Broker, tmp_path: Path, fork_server: ForkServer, seed: int
) -> None:
    with fault_stack(
        KafkaProbe(kafka.bootstrap), tmp_path, seed, fork_server=fork_server, WINDOW="300", WEBHOOK_MAX_ATTEMPTS="5"
    ) as stack:
        stack.feed(3_000)
        stack.start("produce")
        stack.until(lambda: len(stack.probe.records()) == len(stack.expected), "all events are in the log")
        stack.receiver.latency = 0.02
        consumers = [stack.start("consume", patches=_PATCHES) for _ in range(2)]
        stack.wait_delivered(600)
        stack.receiver.latency = 0.0
        assignments = _assignments(stack)
        committed, usages = _take_webhook_away(stack, consumers)
        assert _assignments(stack) == assignments, "a rebalance"
        assert committed, "a commit without a 200"
        for before, after in usages:
            assert after.rss < before.rss * 1.1 + 3
            assert after.files <= before.files + 2
            assert after.threads <= before.threads + 2  # what is asked for the first time has a client of its own
        began, done = time.monotonic(), len(stack.receiver.journal.delivered)
        stack.wait_delivered(done + 1, within=20)
        first = time.monotonic() - began
        stack.wait_all_delivered(within=60)
        assert set(stack.stop_all().values()) == {0}
        report = examine_and_show(stack, f"the first 200 came {first:.1f} s after the webhook was back")
        assert report.wrong == []
        assert (report.duplicates, report.dead_letters) == (0, 0)


def _take_webhook_away(stack: FaultStack, consumers: list[FaultProcess]) -> tuple[bool, list[tuple[Usage, Usage]]]:
    """Refuses, sends 503, hangs, a third of the time each. Returns whether no commit moved, and usages before and after."""
    receiver, port, third = stack.receiver, stack.receiver.port, _OUTAGE / 3
    run_on(receiver, receiver.stop())
    time.sleep(2.0)  # every 200 so far is committed now
    before = [stack.sampler.of(consumer.child)[-1] for consumer in consumers]
    commits = len(stack.observer.samples)
    time.sleep(third - 2.0)
    receiver.script.add(faults.status(503), seconds=third)
    receiver.script.add(faults.hang_before_headers(), seconds=2 * third)
    run_on(receiver, receiver.start(port=port))
    time.sleep(2 * third - 1.0)
    unmoved = len(stack.observer.samples) == commits
    after = [stack.sampler.of(consumer.child)[-1] for consumer in consumers]
    time.sleep(1.0)
    return unmoved, list(zip(before, after, strict=True))


@pytest.mark.timeout(100)
def test_a_webhook_slower_than_every_timeout_of_the_group_keeps_its_pace(
    kafka: Broker, tmp_path: Path, fork_server: ForkServer, seed: int
) -> None:
    settings = {"WEBHOOK_TIMEOUT": "20", "WEBHOOK_CONCURRENT_CALLS": "8", "WEBHOOK_ORDERING": "none", "DRAIN_TIMEOUT": "10"}
    with fault_stack(KafkaProbe(kafka.bootstrap), tmp_path, seed, fork_server=fork_server, **settings) as stack:
        latency = _MAX_POLL_INTERVAL + 1
        stack.receiver.latency = latency
        consumers = [stack.start("consume", patches=_PATCHES) for _ in range(2)]
        for consumer in consumers:
            consumer.wait_for_log("partition assigned")
        time.sleep(1.0)
        assignments = _assignments(stack)
        stack.feed(60)
        stack.start("produce")
        stack.wait_delivered(1)
        # Three rounds of eight at least; the members' shares need not finish together, and the machine may be busy.
        stack.wait_delivered(25, within=8 * latency)
        assert _assignments(stack) == assignments, "a rebalance"
        stack.receiver.latency = 0.0
        stack.wait_all_delivered(within=30)
        assert set(stack.stop_all().values()) == {0}
        report = examine_and_show(stack)
        assert report.wrong == []
        assert report.duplicates == 0
        assert report.peak_calls == 8


def _assignments(stack: FaultStack) -> int:
    return sum(process.child.text.count('"partition assigned"') for process in stack.processes)
