"""P-16 and P-17: the topic of events is deleted, made again and widened under a running poller; there are too few replicas, or no
room. What was not acknowledged is published once the trouble is over, once, and no checkpoint passes it before.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType, NewPartitions

from shared.settings import Role, TransportSettings, load
from shared.transport.kafka.topics import topics
from tests.faults.fault_stack import FaultProcess, FaultStack, fault_stack
from tests.faults.log_probe import KafkaProbe
from tests.support.fork_server import ForkServer
from tests.support.kafka.broker import PATIENT, Broker, JarsBroker
from tests.support.kafka.second_broker import SecondBroker
from tests.support.process_guard import guarded
from tests.support.transports import read_kafka

_FED: Final = 60  # entries: six pages
#: Half a minute is what a page has; nothing here needs more than seconds.
_IMPATIENT: Final = {
    "shared.transport.kafka.client.clients.REQUEST_TIMEOUT": 1.5,
    "shared.transport.kafka.publish.page_producer.DELIVERY": 3.0,
    "shared.transport.kafka.publish.page_producer.PAGE_BOUND": 4.0,
}


@pytest.fixture
def probe(kafka: Broker) -> KafkaProbe:
    return KafkaProbe(kafka.bootstrap)


@pytest.fixture
def stack(probe: KafkaProbe, tmp_path: Path, fork_server: ForkServer, seed: int) -> Iterator[FaultStack]:
    with fault_stack(probe, tmp_path, seed, fork_server=fork_server) as stack:
        yield stack


def _log(probe: KafkaProbe) -> TransportSettings:
    return load(Role.LOG, probe.environ, None).transport


def _published_first(stack: FaultStack) -> FaultProcess:
    """Starts a producer, and lets it publish 60 entries."""
    stack.feed(_FED)
    process = stack.start("produce", patches=_IMPATIENT)
    _until_published(stack)
    return process


def _until_published(stack: FaultStack, within: float = 60) -> None:
    """Waits until the checkpoint is at the end of Auth0's log."""
    last = stack.log.log_id(stack.fed - 1)
    stack.until(lambda: last in stack.probe.checkpoints()[-1:], "all is published", within=within)  # type: ignore[attr-defined]


def _fails(stack: FaultStack, process: FaultProcess, *words: str) -> None:
    """Feeds more, and waits for the line that says what is wrong; the checkpoint stays where it was."""
    assert isinstance(stack.probe, KafkaProbe)
    before = stack.probe.checkpoints()[-1]
    stack.feed(_FED)

    def line() -> Mapping[str, Any] | None:
        return next((line for line in process.lines() if "the checkpoint stays" in line["event"]), None)

    stack.until(lambda: line() is not None, "a line about the failure", within=60)
    reason = (line() or {})["reason"]
    assert all(word in reason for word in words), reason
    assert stack.probe.checkpoints()[-1] == before
    assert process.child.alive


def _in_topic(stack: FaultStack) -> list[str]:
    return sorted(record.log_id for record in stack.probe.records().values())


def _ends_well(stack: FaultStack, *processes: FaultProcess) -> None:
    for process in processes:
        assert process.stop() == 0
        assert "Traceback" not in process.child.text
    assert stack.secrets_shown() == []


def _set(probe: KafkaProbe, topic: str, **configs: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=probe.environ["KAFKA_BOOTSTRAP_SERVERS"])
    given = {name.replace("_", "."): value for name, value in configs.items()}
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=given)])
    admin.close()


@pytest.mark.timeout(200)
def test_a_topic_that_is_deleted_under_a_poller_is_named_and_nothing_is_lost_once_it_is_made_again(
    stack: FaultStack, probe: KafkaProbe
) -> None:
    process = _published_first(stack)
    before = set(_in_topic(stack))
    admin = KafkaAdminClient(bootstrap_servers=probe.environ["KAFKA_BOOTSTRAP_SERVERS"])
    admin.delete_topics([_log(probe).topic])
    admin.close()
    _fails(stack, process, _log(probe).topic)
    topics.create(_log(probe))
    _until_published(stack)
    assert _in_topic(stack) == sorted(stack.expected.keys() - before)
    _ends_well(stack, process)


@pytest.mark.timeout(200)
def test_partitions_that_are_added_while_a_poller_runs_lose_nothing_and_are_used(stack: FaultStack, probe: KafkaProbe) -> None:
    process = _published_first(stack)
    admin = KafkaAdminClient(bootstrap_servers=probe.environ["KAFKA_BOOTSTRAP_SERVERS"])
    admin.create_partitions({_log(probe).topic: NewPartitions(8)})
    admin.close()
    assert process.stop() == 0
    wider = stack.start("produce", patches=_IMPATIENT)
    for _ in range(3):
        stack.feed(_FED)
        _until_published(stack)
    found = read_kafka(probe.environ, 8)
    assert sorted(log_id for log_id, _ in found.values()) == sorted(stack.expected)
    assert {partition for partition, _ in found} == set(range(8))
    _ends_well(stack, wider)


@pytest.fixture
def two_brokers() -> Iterator[tuple[JarsBroker, SecondBroker]]:
    """Topics have a replica on each, and wait for one that is gone: what is written meanwhile is out of sight."""
    with JarsBroker({"default.replication.factor": "2", **PATIENT}) as first, SecondBroker(first) as second:
        yield first, second


@pytest.mark.timeout(250)
@pytest.mark.parametrize("suffix", ["", ".checkpoint"])
def test_too_few_replicas_hold_the_checkpoint_and_afterwards_each_event_is_there_once(
    two_brokers: tuple[JarsBroker, SecondBroker], tmp_path: Path, fork_server: ForkServer, seed: int, suffix: str
) -> None:
    first, second = two_brokers
    probe = KafkaProbe(first.bootstrap)
    topic = _log(probe).topic + suffix
    with fault_stack(probe, tmp_path, seed, fork_server=fork_server) as stack:
        process = _published_first(stack)
        second.restart()  # the first one leads all partitions now
        _set(probe, topic, min_insync_replicas="2")
        stack.feed(_FED)
        _until_published(stack)
        second.kill()  # frozen, it would keep the client of this test waiting, too
        _fails(stack, process)
        # Where the page failed before the cluster took the broker out, it lies there now and readers do not see it.
        second.start()
        _until_published(stack)
        assert _in_topic(stack) == sorted(stack.expected)
        checkpoints = probe.checkpoints()
        assert checkpoints == sorted(checkpoints), "INV-8: a checkpoint went back"
        _ends_well(stack, process)


def _mount(*arguments: str) -> bool:
    return subprocess.run(["mount", *arguments], env=guarded(), capture_output=True, check=False).returncode == 0


@pytest.fixture
def broker_on_a_small_disk() -> Iterator[JarsBroker]:
    """32 MB, in memory."""
    broker = JarsBroker()
    folder = str(broker.folder)
    if os.geteuid() != 0 or shutil.which("mount") is None or not _mount("-t", "tmpfs", "-o", "size=32m", "tmpfs", folder):
        pytest.skip("only root can mount a small disk, and not in every container")
    try:
        with broker:
            yield broker
    finally:
        subprocess.run(["umount", "--lazy", folder], env=guarded(), check=True)


@pytest.mark.timeout(200)
def test_a_broker_without_room_holds_the_checkpoint_and_all_is_published_once_there_is_room(
    broker_on_a_small_disk: JarsBroker, tmp_path: Path, fork_server: ForkServer, seed: int
) -> None:
    """A broker whose disk is full ends; what it acknowledged before is still there."""
    broker, probe = broker_on_a_small_disk, KafkaProbe(broker_on_a_small_disk.bootstrap)
    filler = broker.folder / "filler"
    with fault_stack(probe, tmp_path, seed, fork_server=fork_server) as stack:
        process = _published_first(stack)
        room = shutil.disk_usage(broker.folder).free
        filler.write_bytes(bytes(max(0, room - 8192)))
        stack.feed(_FED)
        stack.until(lambda: "the checkpoint stays" in process.child.text, "a line about the failure", within=90)
        assert process.child.alive
        filler.unlink()
        broker.kill()
        broker.start()
        _until_published(stack, within=90)
        assert _in_topic(stack) == sorted(stack.expected)
        _ends_well(stack, process)
