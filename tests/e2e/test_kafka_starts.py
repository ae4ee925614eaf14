"""The real commands, with a broker that breaks off while they start."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.settings import TransportSettings
from shared.transport.kafka.topics import topics
from tests.e2e.stack import Stack, simple, stacked
from tests.support.kafka.cutting import Gate
from tests.support.kafka.fixtures import Names
from tests.support.listed_log import ListedLog

pytestmark = pytest.mark.outages


def _log_environ(gate: Gate, names: Names) -> dict[str, str]:
    gate.cut()
    topics.create(TransportSettings(bootstrap_servers=(gate.bootstrap,), topic=names.topic, group=names.group))
    return {"KAFKA_BOOTSTRAP_SERVERS": gate.bootstrap, **names.environment}


def _ended(stack: Stack) -> list[int]:
    return [process.stop() for process in stack.processes]


@pytest.mark.parametrize("step", [2, 3, 6, 11, 17])
def test_a_broker_that_breaks_off_during_a_start_does_not_end_it(
    kafka_gate: Gate, names: Names, tmp_path: Path, step: int
) -> None:
    environ = _log_environ(kafka_gate, names)
    with stacked(tmp_path, environ, ListedLog(simple(range(20)))) as stack:
        kafka_gate.cut(step, turned_away=2)
        process = stack.start("run")
        stack.wait_delivered(20, within=60)
        assert kafka_gate.cuts == 1
        assert _ended(stack) == [0]
        assert "SASL" not in process.text


@pytest.mark.parametrize("command", ["run", "produce", "consume"])
def test_a_start_that_waits_for_a_broker_ends_when_it_is_told_to(
    kafka_gate: Gate, names: Names, tmp_path: Path, command: str
) -> None:
    with stacked(tmp_path, _log_environ(kafka_gate, names)) as stack:
        kafka_gate.cut(*range(4, 5_000))
        process = stack.start(command)
        process.wait_for_log("broke off during the start", within=60)
        assert _ended(stack) == [0]
    kafka_gate.cut()
