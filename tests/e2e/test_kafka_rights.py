"""Each right of docs/operations.md is taken away once: a clear line within seconds, and recovery when it is given back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kafka.admin import ACL

from shared.errors import TransportUnusable
from shared.transport.kafka.topics import topics
from shared.transport.kafka.transport import KafkaTransport
from tests.e2e.stack import Process, Stack, simple, stacked
from tests.support import faults
from tests.support.kafka.principals import Principal
from tests.support.listed_log import ListedLog

Create = Callable[..., Principal]
COMMANDS = {"producer": "produce", "consumer": "consume"}
SECONDS = 60


@pytest.fixture
def tenant_log() -> ListedLog:
    return ListedLog(simple(range(20)))


@pytest.fixture
def stack(tmp_path: Path, principal: Create, tenant_log: ListedLog) -> Iterator[Stack]:
    """The administrator has created the topics."""
    admin = principal("admin")
    topics.create(admin.settings)
    with stacked(tmp_path, {**admin.environment, "KAFKA_SESSION_TIMEOUT": "3"}, tenant_log) as stack:
        yield stack


def _right(client: Principal, operation: str, kind: str, suffix: str = "") -> tuple[ACL, str]:
    """The one right of that kind, and how a complaint about it begins."""
    name = client.environment[f"KAFKA_{kind.upper()}"] + suffix
    (found,) = [acl for acl in client.acls if (acl.operation.name, acl.resource_pattern.resource_name) == (operation, name)]
    return found, f"{client.name} has no right to {operation} on {kind} {name} in Kafka"


def _start(stack: Stack, client: Principal, role: str) -> Process:
    return stack.start(COMMANDS[role], **client.environment)


READS = [
    ("producer", "topic", ""),
    ("producer", "topic", ".checkpoint"),
    ("producer", "group", ".poller"),
    ("consumer", "topic", ""),
    ("consumer", "group", ""),
]


def test_a_process_that_may_not_read_what_it_needs_ends_with_a_line(stack: Stack, principal: Create) -> None:
    complaints = []
    for role, kind, suffix in READS:
        client = principal(role)
        right, complaint = _right(client, "READ", kind, suffix)
        client.lose(right)
        complaints.append(complaint)
        _start(stack, client, role)
    # A topic that may not be written either is not even shown.
    complaints[3] = complaints[3].replace("READ", "DESCRIBE")
    for process, complaint in zip(stack.processes, complaints, strict=True):
        assert process.wait(SECONDS) == 3
        assert json.loads(process.text.splitlines()[-1])["event"].startswith(complaint)
        assert "Traceback" not in process.text


def test_without_the_right_to_see_configurations_there_is_a_warning_for_each_topic(stack: Stack, principal: Create) -> None:
    for role, suffixes in {"producer": ("", ".checkpoint"), "consumer": ("", ".control")}.items():
        client = principal(role)
        for suffix in suffixes:
            client.lose(_right(client, "DESCRIBE_CONFIGS", "topic", suffix)[0])
        process = _start(stack, client, role)
        for suffix in suffixes:
            name = f"{client.settings.topic}{suffix}"
            process.wait_for_log(f'"topic": "{name}", "event": "the topic\'s configuration cannot be checked')
    stack.wait_delivered(20)


def test_without_the_right_to_see_configurations_topics_are_made_and_shown_with_a_warning(
    stack: Stack, principal: Create
) -> None:
    client = principal("admin")
    client.lose(_right(client, "DESCRIBE_CONFIGS", "topic")[0])
    create, show = (stack.start("topics", command, **client.environment) for command in ("create", "show"))
    assert (create.wait(SECONDS), show.wait(SECONDS)) == (0, 0)
    assert create.text.count("DESCRIBE_CONFIGS") == show.text.count("DESCRIBE_CONFIGS") == 4


@pytest.mark.parametrize("kind", ["topic", "group"])
async def test_a_progress_reader_without_a_right_is_told_so(stack: Stack, principal: Create, kind: str) -> None:
    client = principal("viewer")
    right, complaint = _right(client, "DESCRIBE", kind)
    client.lose(right)
    if kind == "topic":
        client.lose(_right(client, "READ", kind)[0])  # it brings DESCRIBE with it
    transport = KafkaTransport(client.settings)
    with pytest.raises(TransportUnusable, match=complaint):
        await transport.progress()
    client.regain(right)
    assert len(await transport.progress()) == 6
    await transport.close()


def test_rights_of_a_producer_are_taken_away_and_given_back_while_it_runs(
    stack: Stack, principal: Create, tenant_log: ListedLog
) -> None:
    """A producer of the client library never recovers from a denied write: the product makes a new one."""
    producer, consumer = principal("producer"), principal("consumer")
    _start(stack, consumer, "consumer")
    process = _start(stack, producer, "producer")
    stack.wait_delivered(20)
    rights = [("WRITE", "topic", ""), ("WRITE", "topic", ".checkpoint"), ("READ", "group", ".poller")]
    for number, (operation, kind, suffix) in enumerate(rights, start=20):
        right, complaint = _right(producer, operation, kind, suffix)
        producer.lose(right)
        tenant_log.append(*simple([number]))
        process.wait_for_log(complaint, within=SECONDS)
        producer.regain(right)
        stack.wait_delivered(number + 1)
    assert [process.stop() for process in stack.processes] == [0, 0]
    assert stack.receiver.journal.duplicates == ()


def test_rights_of_a_consumer_are_taken_away_and_given_back_while_it_runs(
    stack: Stack, principal: Create, tenant_log: ListedLog
) -> None:
    producer, consumer = principal("producer"), principal("consumer")
    _start(stack, producer, "producer")
    process = stack.start("consume", **consumer.environment, WEBHOOK_MAX_ATTEMPTS="1")
    stack.wait_delivered(20)
    for number, kind in enumerate(("topic", "group"), start=20):
        right, complaint = _right(consumer, "READ", kind)
        consumer.lose(right)
        process.wait_for_log(complaint, within=SECONDS)
        tenant_log.append(*simple([number]))
        consumer.regain(right)
        stack.wait_delivered(number + 1)
    right, complaint = _right(consumer, "WRITE", "topic", ".dead")
    consumer.lose(right)
    stack.receiver.script.add(faults.status(500), times=1)
    tenant_log.append(*simple([22]))
    process.wait_for_log(
        complaint.replace("WRITE", "DESCRIBE"), within=SECONDS
    )  # it may do nothing there, so it is not shown either
    consumer.regain(right)
    process.wait_for_log("set aside as a dead letter")
    assert [process.stop() for process in stack.processes] == [0, 0]
    assert stack.receiver.journal.duplicates == ()
