"""C-7, C-8, C-9: events that are never accepted, with dead letters, without, and without a place to put them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from kafka import KafkaAdminClient

from shared.settings import Role, load
from shared.transport.kafka.topics import topics
from simulator.journal import ReceivedCall
from tests.faults import menu
from tests.faults.nursery import Nursery
from tests.faults.oracle import judged
from tests.faults.place import InKafka, InSqlite, Place
from tests.faults.world import World, a_world
from tests.support import faults
from tests.support.kafka.broker import Broker


@pytest.mark.timeout(100)
def test_without_dead_letters_a_poisoned_event_is_held_and_never_passed(
    kafka: Broker, tmp_path: Path, nursery: Nursery, seed: int
) -> None:
    place = InKafka(kafka.bootstrap)
    with a_world(place, tmp_path, seed, nursery=nursery, WINDOW="300") as world:
        world.feed(3_000)
        poisoned = {log_id for log_id in world.expected if menu.is_poison(log_id)}
        world.receiver.script.sometimes(1.0, *menu.POISON, when=menu.meets_poison)
        for role in ("consume", "consume", "produce"):
            world.start(role)
        world.delivered(1_500)
        assert not poisoned & world.receiver.journal.maybe_delivered
        world.until(lambda: len(place.records()) == len(world.expected), "all events are in the log")
        _never_passed(world, poisoned)
        world.receiver.script.clear()
        world.all_delivered(within=60)
        assert set(world.stop_all().values()) == {0}
        verdict = judged(world)
        assert verdict.wrong == []
        assert (verdict.duplicates, verdict.letters) == (0, 0)
        assert len(poisoned) >= 15
        assert verdict.rss < 150


def _never_passed(world: World, poisoned: set[str]) -> None:
    """Each partition's position stays at its first poisoned event, at the latest."""
    firsts: dict[int, int] = {}
    for (partition, offset), record in sorted(world.place.records().items()):
        if record.log_id in poisoned:
            firsts.setdefault(partition, offset)
    time.sleep(1.0)
    for partition, position in world.observer.samples[-1].positions.items():
        assert position.offset <= firsts.get(partition, position.offset)


@pytest.mark.timeout(150)
@pytest.mark.parametrize("kind", ["sqlite", "kafka"])
def test_twenty_thousand_events_behind_a_blocked_one_are_not_repeated(
    request: pytest.FixtureRequest, kind: str, tmp_path: Path, nursery: Nursery, seed: int
) -> None:
    count = 20_000 if kind == "sqlite" else 6_000
    place: Place = (
        InSqlite(tmp_path / "log.db") if kind == "sqlite" else InKafka(request.getfixturevalue("kafka").bootstrap, partitions=1)
    )
    with a_world(place, tmp_path, seed, nursery=nursery, WEBHOOK_CONCURRENT_CALLS="20", WEBHOOK_ORDERING="none") as world:
        world.feed(count)
        blocked = min(world.expected)

        def is_blocked(call: ReceivedCall) -> bool:
            return call.log_id == blocked

        world.receiver.script.add(faults.status(500), when=is_blocked)
        process = world.start("run")
        world.delivered(len(world.expected) - 1, within=100)
        time.sleep(1.0)  # and the last of them are committed
        process.kill()
        process = world.start("run")
        process.says("partition assigned")
        time.sleep(1.0)
        assert {delivery.call.log_id for delivery in world.receiver.journal.all if delivery.call.path == process.path} <= {
            blocked
        }
        world.receiver.script.clear()
        world.delivered(len(world.expected))
        assert process.stop() == 0
        verdict = judged(world)
        assert verdict.wrong == []
        assert verdict.duplicates == 0
        longest = max(len(position.metadata) for sample in world.observer.samples for position in sample.positions.values())
        assert 0 < longest < 100


@pytest.mark.timeout(100)
def test_no_position_passes_a_dead_letter_that_cannot_be_written(
    kafka: Broker, tmp_path: Path, nursery: Nursery, seed: int
) -> None:
    place = InKafka(kafka.bootstrap)
    dead = place.environ["KAFKA_TOPIC"] + ".dead"
    with a_world(place, tmp_path, seed, nursery=nursery, WEBHOOK_MAX_ATTEMPTS="2") as world:
        admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap)
        admin.delete_topics([dead])
        admin.close()
        world.feed(600)
        poisoned = {log_id for log_id in world.expected if menu.is_poison(log_id)}
        world.receiver.script.sometimes(1.0, *menu.POISON, when=menu.meets_poison)
        process = world.start("run")
        process.says("a dead letter could not be written")
        world.delivered(200)
        assert world.observer.samples == []  # which looks at the dead letters too, and finds no topic
        topics.create(load(Role.LOG, place.environ, None).transport)
        world.until(lambda: place.letters() >= poisoned, "every dead letter is written", within=45)
        world.until(lambda: world.receiver.journal.maybe_delivered >= world.expected.keys() - poisoned, "all events")
        assert process.stop() == 0
        verdict = judged(world)
        assert verdict.wrong == []
        assert verdict.letters == len(poisoned)
