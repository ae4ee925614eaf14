"""C-1, C-4: SIGKILL at every point where an invariant is at stake, at random moments, and to the broker, under load and faulty
answers. Nothing stands still here, so that nothing excuses a record that is twice in the topic.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from shared import failpoints
from tests.faults.nursery import Nursery
from tests.faults.place import InKafka, InSqlite
from tests.faults.storm import Storm
from tests.faults.weather import weather
from tests.faults.world import a_world
from tests.support.kafka.broker import Broker

pytestmark = pytest.mark.faults

POINTS = [*failpoints.CONSUMER, *failpoints.PRODUCER] * 2
SETTINGS = {"WINDOW": "200", "WEBHOOK_MAX_ATTEMPTS": "8"}


@pytest.mark.timeout(600)
def test_a_kill_at_any_point_loses_nothing_on_kafka(own_kafka: Broker, tmp_path: Path, nursery: Nursery, seed: int) -> None:
    place = InKafka(own_kafka.bootstrap)
    actions = ["kill consume"] * 6 + ["kill produce"] * 3 + ["broker kill"] * 4
    with a_world(place, tmp_path, seed, nursery=nursery, **SETTINGS) as world:
        roles = ["consume", "consume", "consume", "produce", "produce"]
        storm = Storm(world, roles, POINTS, actions, broker=own_kafka)
        verdict = weather(storm, within=400)
        assert verdict.wrong == []
        assert verdict.repeated_records == 0
        assert verdict.peak_calls <= 5
        assert verdict.events > 2_000
        assert verdict.rebalances > 10


@pytest.mark.timeout(400)
def test_a_kill_at_any_point_loses_nothing_on_sqlite(tmp_path: Path, nursery: Nursery, seed: int) -> None:
    place = InSqlite(tmp_path / "log.db")
    with a_world(place, tmp_path, seed, nursery=nursery, **SETTINGS) as world:
        verdict = weather(Storm(world, ["run"], POINTS, actions=["kill run"] * 4, restart=(0.0, 0.1)), within=300)
        assert verdict.wrong == []
        assert verdict.repeated_records == 0
        assert verdict.peak_calls <= 5
        assert verdict.events > 2_000
