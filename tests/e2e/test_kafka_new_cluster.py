"""An operator's commands on a new cluster, which creates its topic of groups at the first request."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from jsonschema import validate

from tests.e2e.stack import Stack, stacked
from tests.support.kafka import broker as brokers
from tests.support.kafka.broker import Broker
from tests.support.kafka.fixtures import _lent, _ways
from tests.support.schemas import STATUS


def _until_its_port_is_open(bootstrap: str, *, bound: float, process: subprocess.Popen[bytes] | None = None) -> None:
    host, _, port = bootstrap.rpartition(":")
    deadline = time.monotonic() + bound
    while True:
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline, process
        else:
            return


@pytest.fixture
def new_kafka(monkeypatch: pytest.MonkeyPatch) -> Iterator[Broker]:
    """A broker without any request for a group, not even by the check that it is up."""
    monkeypatch.setattr(brokers, "wait_until_ready", _until_its_port_is_open)
    yield from _lent(*_ways("jars"))


@pytest.fixture
def stack(new_kafka: Broker, tmp_path: Path) -> Iterator[Stack]:
    with stacked(tmp_path, new_kafka.environment) as stack:
        made = stack.start("topics", "create")
        assert made.wait(40) == 0, made.text
        yield stack


def test_status_says_that_no_consumer_has_joined_yet_and_that_none_runs(stack: Stack) -> None:
    process = stack.start("status", VERBOSITY="error")
    assert process.wait(40) == 0, process.text
    first, *lines = process.text.splitlines()
    assert first == "No consumer has joined the group auth0-webhooks (KAFKA_GROUP) yet; nothing waits in the log."
    assert ["0", "0", "0", "-", "0", "0", "0", "-", "-"] in [line.split() for line in lines]
    seen = stack.start("status", "--json", VERBOSITY="error")
    assert seen.wait(40) == 0, seen.text
    status = json.loads(seen.text)
    validate(status, STATUS)
    assert (status["state"], status["group"], status["members"]) == ("no_consumer", "auth0-webhooks", 0)
    assert (status["undelivered"], status["dead_letters"], status["gaps"], status["unknown"]) == (0, 0, 0, [])
    checked = stack.start("status", "--check", VERBOSITY="error")
    assert checked.wait(40) == 3, checked.text


def test_a_checkpoint_can_be_reset(stack: Stack) -> None:
    process = stack.start("checkpoint", "reset", "--yes", VERBOSITY="error")
    assert process.wait(40) == 0, process.text
