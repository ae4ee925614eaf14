"""Commands that look say what rights or a lost topic hide, and invent nothing; delivery goes on without the control topic."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import validate
from kafka import KafkaAdminClient

from shared.transport.kafka.topics import topics
from tests.e2e.stack import Process, Stack, ends, simple, stacked
from tests.e2e.test_pause import PAUSE
from tests.e2e.test_show import DELIVERED, _entry
from tests.support.kafka.principals import Principal
from tests.support.listed_log import ListedLog
from tests.support.schemas import SHOWN, STATUS
from tests.support.transports import Log

Create = Callable[..., Principal]


@pytest.fixture
def stack(tmp_path: Path, principal: Create) -> Iterator[Stack]:
    """The administrator has created the topics; one event with a time in its id is delivered."""
    admin = principal("admin")
    topics.create(admin.settings)
    with stacked(tmp_path, {**admin.environment, "KAFKA_SESSION_TIMEOUT": "3"}, ListedLog([_entry(DELIVERED, "a")])) as stack:
        stack.start("produce", **principal("producer").environment)
        stack.start("consume", **principal("consumer").environment)
        stack.wait_delivered(1)
        assert [process.stop() for process in stack.processes] == [0, 0]
        yield stack


def _json(process: Process) -> Any:
    return json.loads(ends(process))


def test_a_viewer_looks_with_its_rights_and_is_told_what_it_may_not_see_without_them(stack: Stack, principal: Create) -> None:
    viewer = principal("viewer")
    environ = {**viewer.environment, "VERBOSITY": "error"}
    topic = viewer.settings.topic
    seen = _json(stack.start("status", "--json", **environ))
    validate(seen, STATUS)
    assert (seen["unknown"], seen["dead_letters"], seen["gaps"]) == ([], 0, 0)
    assert _json(stack.start("show", DELIVERED, "--json", **environ))["state"] == "delivered"
    assert DELIVERED in ends(stack.start("tail", **environ))
    refused = ends(stack.start(*PAUSE, **environ), 3)
    assert f"{viewer.name} has no right to WRITE on topic {viewer.settings.control_topic}" in refused

    for name in (viewer.settings.control_topic, viewer.settings.dead_topic):
        viewer.lose(viewer.right("READ", name))
    seen = _json(stack.start("status", "--json", **environ))
    validate(seen, STATUS)
    assert (seen["undelivered"], seen["dead_letters"], seen["gaps"], seen["state"]) == (0, None, None, "no_consumer")
    assert any(f"no right to READ on topic {viewer.settings.control_topic}" in sentence for sentence in seen["unknown"])
    assert "whether it is paused cannot be seen" in seen["sentence"]
    shown = _json(stack.start("show", DELIVERED, "--json", **environ))
    validate(shown, SHOWN)
    assert shown["state"] == "unknown"
    assert "it was delivered or is a dead letter. Dead letters could not be looked at: " in shown["why"]

    viewer.lose(viewer.right("READ", topic))
    for command in (("tail",), ("show", DELIVERED)):
        assert f"{viewer.name} has no right to READ on topic {topic} in Kafka" in ends(stack.start(*command, **environ), 3)
    assert ends(stack.start("status", **environ))


@pytest.mark.parametrize("log", ["kafka"], indirect=True)
def test_without_a_control_topic_delivery_goes_on_and_commands_say_what_to_do(tmp_path: Path, log: Log) -> None:
    with stacked(tmp_path, log.environ, tenant := ListedLog(simple(range(9)))) as stack:
        runs = stack.start("run")
        stack.wait_delivered(9)
        admin = KafkaAdminClient(bootstrap_servers=log.environ["KAFKA_BOOTSTRAP_SERVERS"])
        admin.delete_topics([f"{log.environ['KAFKA_TOPIC']}.control"])
        admin.close()
        for raw in simple(range(9, 20)):
            tenant.append(raw)
        stack.wait_delivered(20)
        seen = _json(stack.start("status", "--json", VERBOSITY="error"))
        validate(seen, STATUS)
        assert any("auth0-webhooks topics create" in sentence for sentence in seen["unknown"])
        assert (seen["members"], seen["gaps"]) == (1, None)
        assert "set aside   0 dead letters, an unknown number of gaps" in ends(stack.start("status", VERBOSITY="error"))
        place = next(f"{row['partition']}:{row['begin']}" for row in seen["partitions"] if row["committed"])
        shown = _json(stack.start("show", place, "--json", VERBOSITY="error"))
        assert (shown["state"], "the control table cannot be read" in shown["why"]) == ("delivered", True)
        assert "auth0-webhooks topics create" in ends(stack.start(*PAUSE), 3)
        assert runs.stop() == 0
        assert len(stack.receiver.journal) == 20
