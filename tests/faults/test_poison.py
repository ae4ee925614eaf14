"""C-7, C-8, C-9: events that are never accepted, with dead letters, without, and with dead letters that cannot be written."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from kafka import KafkaAdminClient

from shared.settings import Role, load
from shared.transport.kafka.topics import topics
from simulator.journal import ReceivedCall
from tests.faults import cases
from tests.faults.fault_stack import FaultStack, fault_stack
from tests.faults.log_probe import KafkaProbe, LogProbe, SqliteProbe
from tests.faults.oracle import examine_and_show
from tests.support import faults
from tests.support.fork_server import ForkServer
from tests.support.kafka.broker import Broker


@pytest.mark.timeout(100)
def test_without_dead_letters_a_poisoned_event_is_held_and_never_passed(
    kafka: Broker, tmp_path: Path, fork_server: ForkServer, seed: int
) -> None:
    probe = KafkaProbe(kafka.bootstrap)
    with fault_stack(probe, tmp_path, seed, fork_server=fork_server, WINDOW="300") as stack:
        stack.feed(3_000)
        poisoned = {log_id for log_id in stack.expected if cases.is_poison(log_id)}
        stack.receiver.script.sometimes(1.0, *cases.POISON, when=cases.meets_poison)
        for role in ("consume", "consume", "produce"):
            stack.start(role)
        stack.wait_delivered(1_500)
        assert not poisoned & stack.receiver.journal.maybe_delivered
        stack.until(lambda: len(probe.records()) == len(stack.expected), "all events are in the log")
        _never_passed(stack, poisoned)
        stack.receiver.script.clear()
        stack.wait_all_delivered(within=60)
        assert set(stack.stop_all().values()) == {0}
        report = examine_and_show(stack)
        assert report.wrong == []
        assert (report.duplicates, report.dead_letters) == (0, 0)
        assert len(poisoned) >= 15
        assert report.rss < 150


def _never_passed(stack: FaultStack, poisoned: set[str]) -> None:
    """Each partition's position is at most its first poisoned event."""
    firsts: dict[int, int] = {}
    for (partition, offset), record in sorted(stack.probe.records().items()):
        if record.log_id in poisoned:
            firsts.setdefault(partition, offset)
    time.sleep(1.0)
    for partition, position in stack.observer.last.items():
        assert position.offset <= firsts.get(partition, position.offset)


@pytest.mark.timeout(150)
@pytest.mark.parametrize("kind", ["sqlite", "kafka"])
def test_twenty_thousand_events_behind_a_blocked_one_are_not_repeated(
    request: pytest.FixtureRequest, kind: str, tmp_path: Path, fork_server: ForkServer, seed: int
) -> None:
    count = 20_000 if kind == "sqlite" else 6_000
    probe: LogProbe = (
        SqliteProbe(tmp_path / "log.db")
        if kind == "sqlite"
        else KafkaProbe(request.getfixturevalue("kafka").bootstrap, partitions=1)
    )
    with fault_stack(
        probe, tmp_path, seed, fork_server=fork_server, WEBHOOK_CONCURRENT_CALLS="20", WEBHOOK_ORDERING="none"
    ) as stack:
        stack.feed(count)
        blocked = min(stack.expected)

        def is_blocked(call: ReceivedCall) -> bool:
            return call.log_id == blocked

        stack.receiver.script.add(faults.status(500), when=is_blocked)
        process = stack.start("run")
        stack.wait_delivered(len(stack.expected) - 1, within=100)
        time.sleep(1.0)  # and the last of them are committed
        process.kill()
        process = stack.start("run")
        process.wait_for_log("partition assigned")
        time.sleep(1.0)
        assert {delivery.call.log_id for delivery in stack.receiver.journal.all if delivery.call.path == process.path} <= {
            blocked
        }
        stack.receiver.script.clear()
        stack.wait_delivered(len(stack.expected))
        assert process.stop() == 0
        report = examine_and_show(stack)
        assert report.wrong == []
        assert report.duplicates == 0
        longest = max(len(position.metadata) for sample in stack.observer.samples for position in sample.positions.values())
        assert 0 < longest < 100


@pytest.mark.timeout(100)
def test_no_position_passes_a_dead_letter_that_cannot_be_written(
    kafka: Broker, tmp_path: Path, fork_server: ForkServer, seed: int
) -> None:
    probe = KafkaProbe(kafka.bootstrap)
    dead = probe.environ["KAFKA_TOPIC"] + ".dead"
    with fault_stack(probe, tmp_path, seed, fork_server=fork_server, WEBHOOK_MAX_ATTEMPTS="2") as stack:
        admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap)
        admin.delete_topics([dead])
        admin.close()
        stack.feed(600)
        poisoned = {log_id for log_id in stack.expected if cases.is_poison(log_id)}
        stack.receiver.script.sometimes(1.0, *cases.POISON, when=cases.meets_poison)
        process = stack.start("run")
        process.wait_for_log("a dead letter could not be written")
        stack.wait_delivered(200)
        assert stack.observer.samples == []  # it reads the dead letters too, whose topic is missing
        topics.create(load(Role.LOG, probe.environ, None).transport)
        stack.until(lambda: probe.dead_letters() >= poisoned, "every dead letter is written", within=45)
        stack.until(lambda: stack.receiver.journal.maybe_delivered >= stack.expected.keys() - poisoned, "all events")
        assert process.stop() == 0
        report = examine_and_show(stack)
        assert report.wrong == []
        assert report.dead_letters == len(poisoned)
