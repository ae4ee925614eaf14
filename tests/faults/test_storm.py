"""C-2, C-3, C-4: zombies, a broker that dies or stands still, a webhook that goes away, and a group that never comes to rest."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.faults.nursery import Nursery
from tests.faults.oracle import Disturbance, judge
from tests.faults.place import InKafka
from tests.faults.storm import Storm
from tests.faults.weather import weather
from tests.faults.world import a_world
from tests.support.kafka.broker import Broker

pytestmark = pytest.mark.faults

PAGE = 100
ACTIONS = {
    "freeze consume": 4,
    "freeze produce": 3,
    "stop consume": 3,
    "stop produce": 2,
    "kill consume": 3,
    "kill produce": 2,
    "broker kill": 4,
    "broker freeze": 2,
    "webhook refuse": 2,
    "webhook 503": 2,
    "webhook 410": 1,
    "webhook hang before headers": 1,
}


@pytest.mark.timeout(600)
def test_zombies_and_outages_lose_nothing(own_kafka: Broker, tmp_path: Path, nursery: Nursery, seed: int) -> None:
    place = InKafka(own_kafka.bootstrap)
    actions = [action for action, times in ACTIONS.items() for _ in range(times)]
    with a_world(place, tmp_path, seed, nursery=nursery, WINDOW="200", WEBHOOK_MAX_ATTEMPTS="8") as world:
        storm = Storm(world, ["consume", "consume", "consume", "produce", "produce"], [], actions, broker=own_kafka)
        verdict = weather(storm, within=400)
        assert verdict.wrong == []
        assert dict(storm.happened) == ACTIONS
        assert verdict.events > 2_000
        # A poller or a broker that stands still in the middle of a write may repeat that page, and no more.
        assert verdict.repeated_records <= PAGE * (ACTIONS["freeze produce"] + ACTIONS["broker freeze"])


@pytest.mark.timeout(120)
def test_zombies_that_wake_to_the_answer_of_an_old_heartbeat_make_no_call(
    own_kafka: Broker, tmp_path: Path, nursery: Nursery, seed: int
) -> None:
    """The broker confirmed their membership while they stood still, and has given their partitions to another one long since."""
    place = InKafka(own_kafka.bootstrap)
    with a_world(place, tmp_path, seed, nursery=nursery, WINDOW="400", WEBHOOK_CONCURRENT_CALLS="8") as world:
        world.feed(900)
        world.receiver.latency = 0.04
        zombies = [world.start("consume") for _ in range(3)]
        other = world.start("consume")
        world.start("produce")
        world.until(lambda: all(map(world.works, (*zombies, other))), "all of them work")
        began = time.monotonic()
        own_kafka.freeze()
        time.sleep(1.0)  # more than the interval of heartbeats: one of each is under way
        since = {zombie.number: world.freeze(zombie) for zombie in zombies}
        own_kafka.thaw()
        frozen = Disturbance(began, time.monotonic(), frozen=True)
        world.all_delivered(within=60)
        time.sleep(0.5)  # and the last of them are committed
        calls = len(world.receiver.journal)
        for zombie in zombies:
            world.thaw(zombie, since[zombie.number])
        for zombie in zombies:
            zombie.says("partitions lost")
        assert len(world.receiver.journal) == calls
        assert set(world.stop_all().values()) == {0}
        assert judge(world, [frozen]).wrong == []


@pytest.mark.timeout(400)
def test_a_group_that_never_comes_to_rest_delivers(kafka: Broker, tmp_path: Path, nursery: Nursery, seed: int) -> None:
    place = InKafka(kafka.bootstrap, partitions=12)
    actions = ["stop consume"] * 50 + ["kill consume"] * 5
    with a_world(place, tmp_path, seed, nursery=nursery, WINDOW="200", WEBHOOK_CONCURRENT_CALLS="12") as world:
        roles = ["consume"] * 6 + ["produce"]
        storm = Storm(world, roles, [], actions, pause=(0.1, 0.8), restart=(0.1, 3.0), faulty=0.03, poison=False)
        verdict = weather(storm, within=300)
        assert verdict.wrong == []
        assert verdict.repeated_records == 0
        assert verdict.letters == 0
        assert verdict.rebalances >= 30  # of 55 leaves and as many joins; on a busy machine several become one
        assert verdict.peak_calls <= 12
