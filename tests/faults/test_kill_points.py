"""C-1: SIGKILL at every point where an invariant is at stake, and at random moments, under load and faulty answers."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from shared import killpoints
from tests.faults.nursery import Nursery
from tests.faults.oracle import judge
from tests.faults.place import InKafka, InSqlite
from tests.faults.storm import Storm
from tests.faults.world import World, a_world
from tests.kafka.broker import Broker

TIMES = 2


@pytest.mark.timeout(300)
def test_a_kill_at_any_point_loses_nothing_on_kafka(kafka: Broker, tmp_path: Path, nursery: Nursery, seed: int) -> None:
    place = InKafka(kafka.bootstrap)
    with a_world(place, tmp_path, seed, nursery=nursery, WINDOW="200", WEBHOOK_MAX_ATTEMPTS="8") as world:
        storm = Storm(
            world,
            roles=["consume", "consume", "consume", "produce", "produce"],
            points=[*killpoints.CONSUMER, *killpoints.PRODUCER] * TIMES,
            actions=["kill consume"] * 6 + ["kill produce"] * 3,
        )
        _weather(storm, within=200)


@pytest.mark.timeout(200)
def test_a_kill_at_any_point_loses_nothing_on_sqlite(tmp_path: Path, nursery: Nursery, seed: int) -> None:
    place = InSqlite(tmp_path / "log.db")
    with a_world(place, tmp_path, seed, nursery=nursery, WINDOW="200", WEBHOOK_MAX_ATTEMPTS="8") as world:
        storm = Storm(
            world,
            roles=["run"],
            points=[*killpoints.CONSUMER, *killpoints.PRODUCER] * TIMES,
            actions=["kill run"] * 4,
            restart=(0.0, 0.1),
        )
        _weather(storm, within=120)


def _weather(storm: Storm, within: float) -> None:
    world: World = storm.world
    print(f"FAULTS_SEED={world.seed}")
    storm.rage(within)
    seconds = storm.calm(within=60)
    codes = world.stop_all()
    verdict = judge(world, storm.disturbances)
    print(f"{verdict}\nhappened: {dict(storm.happened)}; all done {seconds:.1f} s after the last fault")
    assert set(codes.values()) == {0}
    assert verdict.wrong == []
    wanted = set(storm.points)
    assert {point for point in wanted if verdict.killed_at[point] < TIMES} == set()
    assert sum(member.child.code == -signal.SIGKILL for member in world.members) >= len(storm.points)
    assert verdict.repeated_records == 0
    assert verdict.peak_calls <= 5
