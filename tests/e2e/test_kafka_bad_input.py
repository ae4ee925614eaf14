"""What may be wrong on the way to Kafka and in it: one clear line, the right exit code, nothing skipped."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from kafka.structs import OffsetAndMetadata

from shared.transport.kafka.topics.checkpoints import KEY
from simulator.tenant_log import TenantLog
from tests.contract.harness import events, publish
from tests.e2e.stack import Process, Stack, simple, stacked
from tests.integration.kafka_connection import ports
from tests.support.kafka.broker import Broker
from tests.support.kafka.fixtures import Names
from tests.support.listed_log import ListedLog
from tests.support.transports import Log

on_kafka = pytest.mark.parametrize("log", ["kafka"], indirect=True)
StackOf = Callable[[TenantLog], Stack]


def _ends(process: Process, code: int, *words: str) -> None:
    assert process.wait(60) == code, process.text
    assert "Traceback" not in process.text
    for word in words:
        assert word in process.text


def _lines(process: Process, words: str) -> list[dict[str, Any]]:
    """Returns the lines of our own log with these words."""
    lines = [json.loads(line) for line in process.text.splitlines() if line.startswith("{")]
    return [line for line in lines if words in line["event"]]


# -- the connection


@pytest.fixture
def away(tmp_path: Path) -> Iterator[Stack]:
    """A stack whose brokers do not exist."""
    with stacked(tmp_path, {"KAFKA_BOOTSTRAP_SERVERS": ports.dead()}, ListedLog(simple(range(20)))) as stack:
        yield stack


def test_servers_without_a_comma_between_them_are_named(away: Stack) -> None:
    process = away.start("consume", KAFKA_BOOTSTRAP_SERVERS="kafka-1:9092 kafka-2:9092")
    _ends(process, 2, "KAFKA_BOOTSTRAP_SERVERS", "separate servers by commas")


def test_brokers_that_cannot_be_reached_are_waited_for_until_a_stop(away: Stack) -> None:
    process = away.start("consume")
    away.until(lambda: len(_lines(process, "Kafka cannot be reached yet")) >= 2)
    began = time.monotonic()
    assert process.stop() == 0
    assert time.monotonic() - began < 10
    assert _lines(process, "stopped before Kafka could be reached")


def test_a_broker_that_accepts_and_is_silent_is_named(away: Stack) -> None:
    with ports.silent() as server:
        process = away.start("produce", KAFKA_BOOTSTRAP_SERVERS=server)
        process.wait_for_log(f"Kafka at {server}: it accepts connections and is silent for 3 s")
        assert process.stop() == 0


@on_kafka
def test_spaces_and_a_dead_server_beside_a_good_one_do_no_harm(stack_of: StackOf, log: Log) -> None:
    stack = stack_of(ListedLog(simple(range(20))))
    dead = ports.dead()
    process = stack.start("run", "--once", KAFKA_BOOTSTRAP_SERVERS=f" {dead} , {log.environ['KAFKA_BOOTSTRAP_SERVERS']} ")
    assert process.wait() == 0
    assert len(stack.receiver.journal) == 20
    (warning,) = _lines(process, "a Kafka server cannot be used; others can")
    assert warning["server"] == dead


def test_processes_that_start_before_the_topics_name_the_command(away: Stack, kafka: Broker, names: Names) -> None:
    for process in [away.start(command, **kafka.environment, **names.environment) for command in ("consume", "produce")]:
        _ends(process, 3, names.topic, "run `auth0-webhooks topics create`")


# -- the records


@contextmanager
def _another_program(log: Log) -> Iterator[Callable[..., int]]:
    """Writes a record into partition 0 and returns its offset."""
    producer = KafkaProducer(bootstrap_servers=log.environ["KAFKA_BOOTSTRAP_SERVERS"])

    def write(value: bytes | None, key: bytes | None = None, *, suffix: str = "", **headers: bytes) -> int:
        named = [(name.replace("_", "-"), text) for name, text in headers.items()]
        offset: int = producer.send(log.environ["KAFKA_TOPIC"] + suffix, value, key, named, partition=0).get(10).offset
        return offset

    try:
        yield write
    finally:
        producer.close(timeout=5)


async def _committed(log: Log) -> int | None:
    """The offset of partition 0."""
    transport = log.transport()
    try:
        position = (await transport.progress())[0].committed
        return position.offset if position else None
    finally:
        await transport.close()


@pytest.fixture
def stack(stack_of: StackOf, log: Log) -> Stack:
    """60 events are in the topic, and none is delivered."""
    asyncio.run(publish(log.transport(), events(0, 60)))
    return stack_of(ListedLog())


@on_kafka
def test_a_checkpoint_that_is_not_ours_ends_the_producer(stack: Stack, log: Log) -> None:
    with _another_program(log) as write:
        offset = write(b'{"place": "somewhere"}', KEY, suffix=".checkpoint")
    where = f"{log.environ['KAFKA_TOPIC']}.checkpoint-0@{offset}"
    _ends(stack.start("produce"), 3, f"the checkpoint at {where} is not one of ours or is damaged")
    assert stack.tenant.requests == []


@on_kafka
def test_metadata_that_cannot_be_read_is_ignored_with_a_warning(stack: Stack, log: Log) -> None:
    """Another program's, damaged, and of a newer version. What lies below the position is done all the same."""
    topic, group = log.environ["KAFKA_TOPIC"], log.environ["KAFKA_GROUP"]
    texts = dict(enumerate(["another program's", "1;2,1*3,ea5c;00000000", "9;1;9b1c04d7"]))
    admin = KafkaAdminClient(bootstrap_servers=log.environ["KAFKA_BOOTSTRAP_SERVERS"])
    admin.alter_group_offsets(group, {TopicPartition(topic, p): OffsetAndMetadata(1, text, -1) for p, text in texts.items()})
    admin.close()
    passed = {log_id for (partition, offset), log_id in log.dump().items() if partition in texts and offset < 1}
    process = stack.start("consume")
    stack.wait_delivered(60 - len(passed))
    assert process.stop() == 0
    assert not passed & set(stack.receiver.journal.delivered)
    warnings = _lines(process, "the metadata of the committed position is damaged or another program's")
    assert sorted(line["partition"] for line in warnings) == list(texts)


@on_kafka
def test_records_that_are_not_ours_are_held_and_never_passed(stack: Stack, log: Log) -> None:
    """The others are delivered, and after a restart nothing comes twice."""
    ours = {"v": b"1", "log_id": b"900"}
    with _another_program(log) as write:
        held = [write(b'{"log_id": "900"}'), write(b"\xff\x00"), write(None, b"k", **ours), write(b"not JSON", **ours)]
        held.append(write(b"{}", **{**ours, "v": b"2"}))
    asyncio.run(publish(log.transport(), events(60, 120)))
    for _ in range(2):
        process = stack.start("consume")
        stack.wait_delivered(120)
        stack.until(lambda: len(_lines(process, "cannot be delivered and is held")) == len(held))  # noqa: B023
        assert process.stop() == 0
        assert [line["offset"] for line in _lines(process, "cannot be delivered and is held")] == held
    assert len(stack.receiver.journal) == 120
    assert asyncio.run(_committed(log)) == held[0]


@on_kafka
def test_when_retention_takes_what_was_held_the_events_behind_it_stay_done(stack: Stack, log: Log) -> None:
    """The position stays before a record that cannot be delivered, for as long as the topic keeps it; then a restart follows."""
    with _another_program(log) as write:
        held = write(b"another program's")
    asyncio.run(publish(log.transport(), events(60, 120)))
    consumer = stack.start("consume")
    stack.wait_delivered(120)
    assert consumer.stop() == 0
    topic = TopicPartition(log.environ["KAFKA_TOPIC"], 0)
    admin = KafkaAdminClient(bootstrap_servers=log.environ["KAFKA_BOOTSTRAP_SERVERS"])
    admin.delete_records({topic: held + 1})
    admin.close()

    status = stack.start("status", "--json", VERBOSITY="error")  # on a busy machine the client complains, in the same file
    assert status.wait() == 0
    assert [row["undelivered"] for row in json.loads(status.text)["partitions"]] == [0] * 6

    asyncio.run(publish(log.transport(), events(120, 180)))
    consumer = stack.start("consume")
    stack.wait_delivered(180)
    assert consumer.stop() == 0
    assert len(stack.receiver.journal) == 180
    assert asyncio.run(_committed(log)) == max(offset for partition, offset in log.dump() if partition == 0) + 1


@on_kafka
def test_of_two_limits_in_one_group_the_leaders_counts_and_it_says_so(stack: Stack) -> None:
    stack.receiver.latency = 0.05
    leader = stack.start("consume", WEBHOOK_CONCURRENT_CALLS="2")
    leader.wait_for_log("partition assigned")
    other = stack.start("consume", WEBHOOK_CONCURRENT_CALLS="50")
    other.wait_for_log("partition assigned")
    stack.wait_delivered(60)
    assert stack.receiver.open_calls.peak() == 2
    (line, *_) = _lines(leader, "differ in WEBHOOK_CONCURRENT_CALLS")
    assert (line["holds"], line["others"]) == (2, [50])
    assert [process.stop() for process in stack.processes] == [0, 0]
