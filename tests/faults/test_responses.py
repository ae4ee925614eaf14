"""C-11, C-12, C-14, C-15: a receiver with every fault, twenty times each, costs time and nothing else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from simulator.faults import HttpFault
from simulator.journal import JournalEntry
from tests.faults import cases
from tests.faults.fault_stack import FaultStack, chance, fault_stack
from tests.faults.log_probe import KafkaProbe, LogProbe, SqliteProbe
from tests.faults.oracle import examine_and_show, timed_out_attempts, was_missed
from tests.support import faults
from tests.support.background import run_on
from tests.support.fork_server import ForkServer
from tests.support.kafka.broker import Broker

TIMES = 20
EVENTS = 2_200
CAP = 1.2
#: Kinds of responses that break the connection, which may be used again before that is seen.
_SPOIL_THE_NEXT = 4
#: Seconds by which the receiver may record its response later than the caller reads it.
CLOSE = 0.05


@pytest.fixture(params=["sqlite", "kafka"])
def probe(request: pytest.FixtureRequest, tmp_path: Path) -> LogProbe:
    if request.param == "sqlite":
        return SqliteProbe(tmp_path / "log.db")
    broker: Broker = request.getfixturevalue("kafka")
    return KafkaProbe(broker.bootstrap)


@pytest.mark.timeout(150)
def test_every_kind_of_response_costs_time_and_nothing_else(
    probe: LogProbe, tmp_path: Path, fork_server: ForkServer, seed: int
) -> None:
    """Nothing is killed, so nothing is repeated: after a 200, in whatever form, an event is not called again."""
    settings = {"WEBHOOK_CONCURRENT_CALLS": "25", "WEBHOOK_BREAKER_FAILURES": "1000", "VERBOSITY": "debug"}
    with fault_stack(probe, tmp_path, seed, fork_server=fork_server, **settings, WEBHOOK_BACKOFF_CAP=str(CAP)) as stack:
        kinds = {fault.name: fault for fault in cases.all_cases(stack.elsewhere.url)}
        opens_breaker = kinds.pop("410")  # it opens the breaker, whose probes do not wait for Retry-After
        stack.receiver.script.in_order(*_deck(stack, list(kinds.values())))
        stack.feed(EVENTS)
        process = stack.start("run")
        stack.wait_delivered(EVENTS // 2)
        stack.until(lambda: all(stack.receiver.script.fired[name] == TIMES for name in kinds), "every kind", within=90)
        # By itself: probes of the open breaker take an event before its Retry-After is over.
        stack.wait_all_delivered(within=30)
        stack.receiver.script.in_order(*[opens_breaker, None] * TIMES)
        stack.feed(EVENTS)
        stack.wait_all_delivered(within=60)
        assert process.stop() == 0
        report = examine_and_show(stack)
        assert report.wrong == []
        assert report.duplicates == 0
        assert report.dead_letters == 0
        assert report.peak_calls <= 25
        assert {name for name, times in report.kinds.items() if times < TIMES} == set()
        assert len(report.kinds) >= 60
        assert report.rss < 150
        _waits_as_long_as_it_is_asked(stack)
        _counts_are_exact(stack)


@pytest.mark.timeout(60)
def test_a_consumer_that_was_frozen_in_a_call_finds_what_the_journal_holds(
    probe: LogProbe, tmp_path: Path, fork_server: ForkServer, seed: int
) -> None:
    """Its kernel goes on reading: after the freeze it may find a whole response, which the journal has to know."""
    with fault_stack(probe, tmp_path, seed, fork_server=fork_server, KAFKA_SESSION_TIMEOUT="20") as stack:
        stack.feed(50)
        stack.receiver.script.in_order(*[None] * 10, faults.drip(0.02))
        process = stack.start("run")
        stack.until(lambda: stack.receiver.script.fired["drip"] == 1, "a response that drips")
        since = stack.freeze(process)
        time.sleep(3.0)  # twice what the whole head would take
        stack.thaw(process, since)
        stack.wait_all_delivered(within=30)
        assert process.stop() == 0
        assert examine_and_show(stack).wrong == []


@pytest.mark.timeout(60)
def test_a_repeat_of_a_call_that_was_read_after_its_timeout_is_excused(
    probe: LogProbe, tmp_path: Path, fork_server: ForkServer, seed: int
) -> None:
    """A test of the oracle: on a busy machine a receiver reads late."""

    async def block_the_loop() -> None:
        time.sleep(1.5)  # noqa: ASYNC251  it has to block the receiver's loop

    with fault_stack(probe, tmp_path, seed, fork_server=fork_server, KAFKA_SESSION_TIMEOUT="20") as stack:
        stack.feed(3_000)
        process = stack.start("run")
        stack.wait_delivered(20)
        run_on(stack.receiver, block_the_loop())
        stack.wait_all_delivered(within=30)
        assert process.stop() == 0
        assert "no response within" in process.child.text
        assert len(stack.receiver.journal) > len(stack.expected)
        report = examine_and_show(stack)
        assert report.wrong == []
        assert report.duplicates == 0


def _deck(stack: FaultStack, kinds: list[HttpFault]) -> Iterator[HttpFault | None]:
    deck = [fault for fault in kinds for _ in range(TIMES)]
    chance(stack.seed, "answers").shuffle(deck)
    for fault in deck:
        yield from (fault, None)


def _waits_as_long_as_it_is_asked(stack: FaultStack) -> None:
    calls: dict[str, list[JournalEntry]] = {}
    for delivery in stack.receiver.journal.all:
        calls.setdefault(delivery.call.log_id, []).append(delivery)
    waits: dict[str, list[float]] = {}
    (process,) = stack.processes
    timed_out = timed_out_attempts(process)
    for own in calls.values():
        for failed, after in pairwise(own):
            if not was_missed(failed, timed_out):  # on a busy machine: what was asked for came too late to be read
                waits.setdefault(failed.verdict, []).append((after.call.arrived_ns - failed.answered_ns) / 1e9)
    assert min(waits["429 retry-after a second"]) >= 1.0 - CLOSE
    assert min(waits["503 retry-after a year"]) >= CAP - CLOSE
    assert min(waits["503 retry-after a far date"]) >= CAP - CLOSE
    assert max(waits["503 retry-after a year"]) < CAP + 20  # capped; the rest is a busy machine
    for kind in ("503 retry-after none", "429 retry-after negative", "429 retry-after a past date", "503 retry-after garbage"):
        assert min(waits[kind]) < 1.0, kind


def _counts_are_exact(stack: FaultStack) -> None:
    (process,) = stack.processes
    poller, worker = process.counts("poller"), process.counts("worker")
    journal = stack.receiver.journal
    assert poller["fetched"] == stack.fed
    assert poller["published"] == len(stack.expected)
    assert sum(poller["filtered"].values()) == stack.fed - len(stack.expected)
    assert worker["taken"] == worker["delivered"] == len(stack.expected)
    # The receiver does not see a call on a connection that it has just closed, or broken with bytes after its response. It sees
    # one more where an idle connection died at once: the client tries again without counting an attempt.
    failed = sum(delivery.status != 200 for delivery in journal.all)
    assert failed - TIMES <= worker["failed_attempts"] <= failed + _SPOIL_THE_NEXT * TIMES
