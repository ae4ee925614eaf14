"""C-5, C-6: a webhook that is down for hours or slow for ever costs time and nothing else. The hours are compressed: a member may
stay away from its group for 3 s instead of 60, and the outage lasts twelve times that.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

import pytest

from tests.faults.nursery import Nursery
from tests.faults.oracle import judged
from tests.faults.place import InKafka
from tests.faults.sampler import Usage
from tests.faults.world import Member, World, a_world
from tests.support import faults
from tests.support.background import run_on
from tests.support.kafka.broker import Broker

_MAX_POLL_INTERVAL: Final = 3.0
_PATCHES: Final = {
    "shared.transport.kafka.group.client.MAX_POLL_INTERVAL": _MAX_POLL_INTERVAL,
    "shared.transport.kafka.group.member._DRAIN_BOUND": 2.5,
}
_OUTAGE: Final = 12.5 * _MAX_POLL_INTERVAL


@pytest.mark.timeout(150)
def test_hours_without_a_webhook_cost_no_membership_and_no_memory(
    kafka: Broker, tmp_path: Path, nursery: Nursery, seed: int
) -> None:
    with a_world(InKafka(kafka.bootstrap), tmp_path, seed, nursery=nursery, WINDOW="300", WEBHOOK_MAX_ATTEMPTS="5") as world:
        world.feed(3_000)
        world.start("produce")
        world.until(lambda: len(world.place.records()) == len(world.expected), "all events are in the log")
        world.receiver.latency = 0.02
        consumers = [world.start("consume", patches=_PATCHES) for _ in range(2)]
        world.delivered(600)
        world.receiver.latency = 0.0
        assignments = _assignments(world)
        committed, usages = _be_away(world, consumers)
        assert _assignments(world) == assignments, "a rebalance"
        assert committed, "a commit without a 200"
        for before, after in usages:
            assert after.rss < before.rss * 1.1 + 3
            assert after.files <= before.files + 2
            assert after.threads <= before.threads
        began, done = time.monotonic(), len(world.receiver.journal.delivered)
        world.delivered(done + 1, within=20)
        first = time.monotonic() - began
        world.all_delivered(within=60)
        assert set(world.stop_all().values()) == {0}
        verdict = judged(world, f"the first 200 came {first:.1f} s after the webhook was back")
        assert verdict.wrong == []
        assert (verdict.duplicates, verdict.letters) == (0, 0)


def _be_away(world: World, consumers: list[Member]) -> tuple[bool, list[tuple[Usage, Usage]]]:
    """Refuse, answer 503, hang, a third of the time each. Whether no commit moved meanwhile, and usages before and after."""
    receiver, port, third = world.receiver, world.receiver.port, _OUTAGE / 3
    run_on(receiver, receiver.stop())
    time.sleep(2.0)  # what was answered before is committed now
    before = [world.sampler.of(consumer.child)[-1] for consumer in consumers]
    commits = len(world.observer.samples)
    time.sleep(third - 2.0)
    receiver.script.add(faults.status(503), seconds=third)
    receiver.script.add(faults.hang_before_headers(), seconds=2 * third)
    run_on(receiver, receiver.start(port=port))
    time.sleep(2 * third - 1.0)
    unmoved = len(world.observer.samples) == commits
    after = [world.sampler.of(consumer.child)[-1] for consumer in consumers]
    time.sleep(1.0)
    return unmoved, list(zip(before, after, strict=True))


@pytest.mark.timeout(100)
def test_a_webhook_slower_than_every_timeout_of_the_group_keeps_its_pace(
    kafka: Broker, tmp_path: Path, nursery: Nursery, seed: int
) -> None:
    settings = {"WEBHOOK_TIMEOUT": "20", "WEBHOOK_CONCURRENT_CALLS": "8", "WEBHOOK_ORDERING": "none", "DRAIN_TIMEOUT": "10"}
    with a_world(InKafka(kafka.bootstrap), tmp_path, seed, nursery=nursery, **settings) as world:
        latency = _MAX_POLL_INTERVAL + 1
        world.receiver.latency = latency
        consumers = [world.start("consume", patches=_PATCHES) for _ in range(2)]
        for consumer in consumers:
            consumer.says("partition assigned")
        time.sleep(1.0)
        assignments = _assignments(world)
        world.feed(60)
        world.start("produce")
        world.delivered(1)
        # Three rounds of eight at least; the members' shares need not be busy to the same end, nor is the machine ours alone.
        world.delivered(25, within=8 * latency)
        assert _assignments(world) == assignments, "a rebalance"
        world.receiver.latency = 0.0
        world.all_delivered(within=30)
        assert set(world.stop_all().values()) == {0}
        verdict = judged(world)
        assert verdict.wrong == []
        assert verdict.duplicates == 0
        assert verdict.peak_calls == 8


def _assignments(world: World) -> int:
    return sum(member.child.text.count('"partition assigned"') for member in world.members)
