"""C-21, and how long it takes until work goes on: stops in every situation, and the numbers of recovery."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from tests.faults.nursery import Nursery
from tests.faults.oracle import Disturbance, judge, judged
from tests.faults.place import InKafka
from tests.faults.verdict import say
from tests.faults.world import Member, World, a_world
from tests.support import faults
from tests.support.kafka.broker import Broker

SESSION: Final = 2.0
#: A poll, a drain, a commit and a goodbye that nobody answers take about 9 s.
GRACE: Final = 14.0
#: Seconds after which nothing comes any more, however busy the machine is.
_HUNG: Final = 30.0


@pytest.mark.timeout(120)
def test_a_rolling_restart_repeats_nothing(kafka: Broker, tmp_path: Path, nursery: Nursery, seed: int) -> None:
    with a_world(InKafka(kafka.bootstrap, session=10), tmp_path, seed, nursery=nursery) as world:
        world.receiver.latency = 0.005
        members = [world.start("consume") for _ in range(3)]
        world.start("produce")
        for turn in range(9):
            world.feed(250)
            world.until(lambda: any(world.works(member) for member in members), "somebody works")
            member = members[turn % 3]
            member.says("calls of this member")
            assert member.stop(within=20) == 0
            members[turn % 3] = world.start("consume")
        world.all_delivered(within=60)
        assert set(world.stop_all().values()) == {0}
        verdict = judged(world)
        assert verdict.wrong == []
        assert (verdict.duplicates, verdict.repeated_records) == (0, 0)
        assert verdict.peak_calls <= 5
        assert verdict.rebalances >= 9


@pytest.mark.timeout(120)
def test_a_stop_ends_in_time_whatever_is_dead(own_kafka: Broker, tmp_path: Path, nursery: Nursery, seed: int) -> None:
    settings = {"STOP_GRACE": str(GRACE), "DRAIN_TIMEOUT": "2", "WEBHOOK_TIMEOUT": "30"}
    with a_world(InKafka(own_kafka.bootstrap), tmp_path, seed, nursery=nursery, **settings) as world:
        seconds: dict[str, float] = {}

        def stopped(situation: str, trouble: Callable[[], None], relief: Callable[[], None]) -> None:
            world.feed(100)
            members = [world.start("consume"), world.start("produce")]
            world.until(lambda: world.works(members[0], 2.0), "the consumer works")
            members[1].says("polling Auth0")
            trouble()
            time.sleep(0.5)
            began = time.monotonic()
            for member in members:
                member.ask()
            for member in members:
                code = member.child.wait(40)
                seconds[f"{situation}, {member.role}, exit code {code}"] = round(time.monotonic() - began, 1)
            relief()

        stopped("broker dead", own_kafka.kill, own_kafka.start)
        stopped("broker frozen", own_kafka.freeze, own_kafka.thaw)
        stopped("webhook hangs", lambda: world.receiver.script.add(faults.hang_before_headers()), world.receiver.script.clear)
        say(f"FAULTS_SEED={seed}\n{seconds}")
        for role in ("consume", "produce"):
            world.start(role)
        world.all_delivered(within=60)
        assert set(world.stop_all().values()) == {0}
        verdict = judge(world, [Disturbance(0, time.monotonic())])
        say(verdict)
        assert all(took <= GRACE + 5 for took in seconds.values()), seconds
        assert verdict.wrong == []
        assert {member.child.code for member in world.members} == {0}


@pytest.mark.timeout(60)
def test_a_stop_that_a_frozen_broker_holds_up_says_so(own_kafka: Broker, tmp_path: Path, nursery: Nursery, seed: int) -> None:
    settings = {"STOP_GRACE": "1", "DRAIN_TIMEOUT": "0.5"}
    with a_world(InKafka(own_kafka.bootstrap), tmp_path, seed, nursery=nursery, **settings) as world:
        world.feed(50)
        world.start("produce")
        consumer = world.start("consume")
        world.until(lambda: world.works(consumer, 2.0), "the consumer works")
        own_kafka.freeze()
        assert consumer.stop(within=20) == 3
        own_kafka.thaw()
        assert [*consumer.lines()][-1]["event"].startswith("not everything ended within STOP_GRACE (1 s)")
        assert "Traceback" not in consumer.child.text


@pytest.mark.timeout(120)
def test_work_goes_on_soon_after_a_kill_and_after_a_restart_of_the_broker(
    own_kafka: Broker, tmp_path: Path, nursery: Nursery, seed: int
) -> None:
    """Not a test of speed: it says how long both took, and fails where nothing comes."""
    with a_world(InKafka(own_kafka.bootstrap, session=SESSION), tmp_path, seed, nursery=nursery) as world:
        members = [world.start("consume"), world.start("consume"), world.start("produce")]
        for member in members[:2]:
            member.says('"partition assigned"')
        _steady(world, 3.0)
        members[1].kill()
        killed = time.monotonic()
        theirs = _partitions(members[1])
        taken_over = _taken_over(world, members[0], theirs)
        _steady(world, 2.0)
        own_kafka.kill()
        _steady(world, 2.0)
        own_kafka.start()
        opened, done = time.monotonic(), len(world.receiver.journal)
        while len(world.receiver.journal) <= done + 5 and time.monotonic() - opened < _HUNG:
            world.feed(2)
            time.sleep(0.05)
        flowing = time.monotonic() - opened
        say(f"FAULTS_SEED={seed}\ntaken over {taken_over - killed:.1f} s after a kill, ")
        say(f"records flow {flowing:.1f} s after the broker can be used again")
        world.all_delivered(within=60)
        world.stop_all()
        verdict = judge(world, [Disturbance(killed, time.monotonic())])
        say(verdict)
        assert verdict.wrong == []
        assert flowing < _HUNG


def _steady(world: World, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        world.feed(4)
        time.sleep(0.05)


def _partitions(member: Member) -> set[int]:
    return {line["partition"] for line in member.lines() if line.get("event") == "partition assigned"}


def _taken_over(world: World, heir: Member, partitions: set[int]) -> float:
    """When the heir had them all, by `time.monotonic`. Raises TimeoutError."""
    assert partitions
    before = len([line for line in heir.lines() if line.get("event") == "partition assigned"])

    def has_them() -> bool:
        lines = [line for line in heir.lines() if line.get("event") == "partition assigned"][before:]
        return {line["partition"] for line in lines} >= partitions

    world.until(has_them, "the partitions are taken over")
    return time.monotonic()
