"""C-2, C-3, C-4: zombies, a broker that dies or freezes, a webhook that goes away, and a group that never stops rebalancing."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.faults.chaos import Chaos
from tests.faults.chaos_run import chaos_run
from tests.faults.fault_stack import fault_stack
from tests.faults.log_probe import KafkaProbe
from tests.faults.oracle import Disturbance, examine
from tests.support.fork_server import ForkServer
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
def test_zombies_and_outages_lose_nothing(own_kafka: Broker, tmp_path: Path, fork_server: ForkServer, seed: int) -> None:
    probe = KafkaProbe(own_kafka.bootstrap)
    actions = [action for action, times in ACTIONS.items() for _ in range(times)]
    with fault_stack(probe, tmp_path, seed, fork_server=fork_server, WINDOW="200", WEBHOOK_MAX_ATTEMPTS="8") as stack:
        chaos = Chaos(stack, ["consume", "consume", "consume", "produce", "produce"], [], actions, broker=own_kafka)
        report = chaos_run(chaos, within=400)
        assert report.wrong == []
        assert dict(chaos.happened) == ACTIONS
        assert report.events > 2_000
        # A poller or a broker that is frozen in the middle of a write may repeat that page, and no more.
        assert report.repeated_records <= PAGE * (ACTIONS["freeze produce"] + ACTIONS["broker freeze"])


@pytest.mark.timeout(120)
def test_zombies_that_wake_to_the_response_to_an_old_heartbeat_make_no_call(
    own_kafka: Broker, tmp_path: Path, fork_server: ForkServer, seed: int
) -> None:
    """The broker confirmed their membership while they were frozen, and has given their partitions to another member since."""
    probe = KafkaProbe(own_kafka.bootstrap)
    with fault_stack(probe, tmp_path, seed, fork_server=fork_server, WINDOW="400", WEBHOOK_CONCURRENT_CALLS="8") as stack:
        stack.feed(900)
        stack.receiver.latency = 0.04
        zombies = [stack.start("consume") for _ in range(3)]
        other = stack.start("consume")
        stack.start("produce")
        stack.until(lambda: all(map(stack.is_calling, (*zombies, other))), "all of them work")
        began = time.monotonic()
        own_kafka.freeze()
        time.sleep(1.0)  # more than the interval of heartbeats: one of each is under way
        since = {zombie.number: stack.freeze(zombie) for zombie in zombies}
        own_kafka.thaw()
        frozen = Disturbance(began, time.monotonic(), frozen=True)
        stack.wait_all_delivered(within=60)
        time.sleep(0.5)  # and the last of them are committed
        calls = len(stack.receiver.journal)
        for zombie in zombies:
            stack.thaw(zombie, since[zombie.number])
        for zombie in zombies:
            zombie.wait_for_log("partitions lost")
        assert len(stack.receiver.journal) == calls
        assert set(stack.stop_all().values()) == {0}
        assert examine(stack, [frozen]).wrong == []


@pytest.mark.timeout(400)
def test_a_group_that_never_stops_rebalancing_delivers(kafka: Broker, tmp_path: Path, fork_server: ForkServer, seed: int) -> None:
    probe = KafkaProbe(kafka.bootstrap, partitions=12)
    actions = ["stop consume"] * 50 + ["kill consume"] * 5
    with fault_stack(probe, tmp_path, seed, fork_server=fork_server, WINDOW="200", WEBHOOK_CONCURRENT_CALLS="12") as stack:
        roles = ["consume"] * 6 + ["produce"]
        chaos = Chaos(stack, roles, [], actions, pause=(0.1, 0.8), restart=(0.1, 3.0), faulty=0.03, poison=False)
        report = chaos_run(chaos, within=300)
        assert report.wrong == []
        assert report.repeated_records == 0
        assert report.dead_letters == 0
        assert report.rebalances >= 30  # of 55 leaves and as many joins; on a busy machine several become one
        assert report.peak_calls <= 12
