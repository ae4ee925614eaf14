"""C-11, C-12, C-14, C-15: a receiver that misbehaves in every way, twenty times each, and nothing else goes wrong."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from simulator.faults import HttpFault
from simulator.journal import JournalEntry
from tests.faults import menu
from tests.faults.nursery import Nursery
from tests.faults.oracle import judged
from tests.faults.place import InKafka, InSqlite, Place
from tests.faults.world import World, a_world, chance
from tests.support import faults
from tests.support.background import run_on
from tests.support.kafka.broker import Broker

TIMES = 20
EVENTS = 2_200
CAP = 1.2
#: Kinds of answers after which the connection is no good, and may be used before that is seen.
_SPOIL_THE_NEXT = 4
#: Seconds by which the receiver may notice later than we that it has answered.
CLOSE = 0.05


@pytest.fixture(params=["sqlite", "kafka"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "sqlite":
        return InSqlite(tmp_path / "log.db")
    broker: Broker = request.getfixturevalue("kafka")
    return InKafka(broker.bootstrap)


@pytest.mark.timeout(150)
def test_every_kind_of_answer_costs_time_and_nothing_else(place: Place, tmp_path: Path, nursery: Nursery, seed: int) -> None:
    """No repeats, since nobody is killed: what was answered 200, however badly, is not called again."""
    settings = {"WEBHOOK_CONCURRENT_CALLS": "25", "WEBHOOK_BREAKER_FAILURES": "1000", "VERBOSITY": "debug"}
    with a_world(place, tmp_path, seed, nursery=nursery, **settings, WEBHOOK_BACKOFF_CAP=str(CAP)) as world:
        kinds = {fault.name: fault for fault in menu.all_kinds(world.elsewhere.url)}
        goodbye = kinds.pop("410")  # it opens the breaker, and then nobody waits his time
        world.receiver.script.in_order(*_deck(world, list(kinds.values())))
        world.feed(EVENTS)
        process = world.start("run")
        world.delivered(EVENTS // 2)
        world.until(lambda: all(world.receiver.script.fired[name] == TIMES for name in kinds), "every kind", within=90)
        # Nobody waits for anything, when the breaker opens: its probes ask no event whether its time has come.
        world.all_delivered(within=30)
        world.receiver.script.in_order(*[goodbye, None] * TIMES)
        world.feed(EVENTS)
        world.all_delivered(within=60)
        assert process.stop() == 0
        verdict = judged(world)
        assert verdict.wrong == []
        assert verdict.duplicates == 0
        assert verdict.letters == 0
        assert verdict.peak_calls <= 25
        assert {name for name, times in verdict.kinds.items() if times < TIMES} == set()
        assert len(verdict.kinds) >= 60
        assert verdict.rss < 150
        _waits_as_long_as_it_is_asked(world)
        _counts_are_exact(world)


@pytest.mark.timeout(60)
def test_what_a_consumer_finds_that_stood_still_in_a_call_is_what_the_journal_says(
    place: Place, tmp_path: Path, nursery: Nursery, seed: int
) -> None:
    """Its kernel goes on reading: on waking it may find an answer for which nobody can wait."""
    with a_world(place, tmp_path, seed, nursery=nursery, KAFKA_SESSION_TIMEOUT="20") as world:
        world.feed(50)
        world.receiver.script.in_order(*[None] * 10, faults.drip(0.02))
        process = world.start("run")
        world.until(lambda: world.receiver.script.fired["drip"] == 1, "an answer that drips")
        since = world.freeze(process)
        time.sleep(3.0)  # twice what the whole head would take
        world.thaw(process, since)
        world.all_delivered(within=30)
        assert process.stop() == 0
        assert judged(world).wrong == []


@pytest.mark.timeout(60)
def test_what_a_receiver_reads_only_when_the_callers_time_is_over_was_repeated_for_a_reason(
    place: Place, tmp_path: Path, nursery: Nursery, seed: int
) -> None:
    """The judge is on trial: a busy machine does this to a receiver."""

    async def stand_still() -> None:
        time.sleep(1.5)  # noqa: ASYNC251  its loop is what has to stand still

    with a_world(place, tmp_path, seed, nursery=nursery, KAFKA_SESSION_TIMEOUT="20") as world:
        world.feed(3_000)
        process = world.start("run")
        world.delivered(20)
        run_on(world.receiver, stand_still())
        world.all_delivered(within=30)
        assert process.stop() == 0
        assert "no response within" in process.child.text
        assert len(world.receiver.journal) > len(world.expected)
        verdict = judged(world)
        assert verdict.wrong == []
        assert verdict.duplicates == 0


def _deck(world: World, kinds: list[HttpFault]) -> Iterator[HttpFault | None]:
    deck = [fault for fault in kinds for _ in range(TIMES)]
    chance(world.seed, "answers").shuffle(deck)
    for fault in deck:
        yield from (fault, None)


def _waits_as_long_as_it_is_asked(world: World) -> None:
    calls: dict[str, list[JournalEntry]] = {}
    for delivery in world.receiver.journal.all:
        calls.setdefault(delivery.call.log_id, []).append(delivery)
    waits: dict[str, list[float]] = {}
    for own in calls.values():
        for failed, after in pairwise(own):
            waits.setdefault(failed.verdict, []).append((after.call.arrived_ns - failed.answered_ns) / 1e9)
    assert min(waits["429 retry-after a second"]) >= 1.0 - CLOSE
    assert min(waits["503 retry-after a year"]) >= CAP - CLOSE
    assert min(waits["503 retry-after a far date"]) >= CAP - CLOSE
    assert max(waits["503 retry-after a year"]) < CAP + 20  # capped; the rest is a busy machine
    for kind in ("503 retry-after none", "429 retry-after negative", "429 retry-after a past date", "503 retry-after garbage"):
        assert min(waits[kind]) < 1.0, kind


def _counts_are_exact(world: World) -> None:
    (process,) = world.members
    poller, worker = process.counts("poller"), process.counts("worker")
    journal = world.receiver.journal
    assert poller["fetched"] == world.fed
    assert poller["published"] == len(world.expected)
    assert sum(poller["filtered"].values()) == world.fed - len(world.expected)
    assert worker["taken"] == worker["delivered"] == len(world.expected)
    # The receiver does not see a call on a connection that it has just closed, or spoilt with what came after its answer; and it
    # sees one more where a connection that was idle died at once, which gets a silent second try.
    failed = sum(delivery.status != 200 for delivery in journal.all)
    assert failed - TIMES <= worker["failed_attempts"] <= failed + _SPOIL_THE_NEXT * TIMES
