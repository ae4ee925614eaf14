"""P-1 with a page fetched ahead, and P-4 where a broker did what it was asked and could not say so: every log id once in the
topic, no checkpoint goes back, nothing is lost.
"""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest

from shared import failpoints
from tests.faults.fault_stack import FaultStack, fault_stack
from tests.faults.log_probe import KafkaProbe, SqliteProbe
from tests.faults.oracle import examine_and_show
from tests.support.fork_server import ForkServer
from tests.support.kafka.broker import Broker
from tests.support.kafka.cutting import OFFSET_COMMIT, PRODUCE, Gate

#: At once, with pages behind it, and in the middle of what follows.
_KILLS: Final = [
    *(f"{point}:{passes}" for point in failpoints.PRODUCER for passes in (1, 3)),
    *(f"{point}:2+0.002" for point in ("ahead-read", "before-publish", "page-acknowledged")),
]
_FED: Final = 60  # entries: six pages


def _kill_at_each_point(stack: FaultStack, role: str) -> None:
    for kill in _KILLS:
        stack.feed(_FED)
        process = stack.start(role, fault_at=kill)
        stack.until(lambda process=process: not process.child.alive, f"the kill at {kill}", within=60)  # type: ignore[misc]
        assert process.died_at_its_point, process.child.text[-1500:]


def _finish(stack: FaultStack, *roles: str) -> None:
    """Lets these deliver all, and asserts that each log id is there once, in the order of Auth0's log in each partition."""
    for role in roles:
        stack.start(role)
    stack.wait_all_delivered(within=90)
    assert set(stack.stop_all().values()) == {0}
    report = examine_and_show(stack)
    assert report.wrong == []
    assert report.repeated_records == 0
    records = sorted(stack.probe.records().items())
    for (place, before), (next_place, after) in pairwise(records):
        assert place[0] != next_place[0] or before.log_id < after.log_id


@pytest.mark.timeout(280)
def test_a_kill_while_a_page_is_fetched_ahead_publishes_nothing_twice_on_kafka(
    kafka: Broker, tmp_path: Path, fork_server: ForkServer, seed: int
) -> None:
    probe = KafkaProbe(kafka.bootstrap, session=1.5)
    with fault_stack(probe, tmp_path, seed, fork_server=fork_server) as stack:
        _kill_at_each_point(stack, "produce")
        _finish(stack, "produce", "consume")
        checkpoints = probe.checkpoints()
        assert checkpoints == sorted(checkpoints), "INV-8: a checkpoint went back"


@pytest.mark.timeout(120)
def test_a_kill_while_a_page_is_fetched_ahead_publishes_nothing_twice_on_sqlite(
    tmp_path: Path, fork_server: ForkServer, seed: int
) -> None:
    with fault_stack(SqliteProbe(tmp_path / "log.db"), tmp_path, seed, fork_server=fork_server) as stack:
        _kill_at_each_point(stack, "run")
        _finish(stack, "run")


@pytest.mark.timeout(200)
def test_what_a_broker_did_and_could_not_say_is_not_done_twice(
    kafka_gate: Gate, tmp_path: Path, fork_server: ForkServer, seed: int
) -> None:
    """The response to a page, to a checkpoint and to a commit is lost; the request was served."""
    probe = KafkaProbe(kafka_gate.bootstrap)
    topic, group = (probe.environ[name].encode() for name in ("KAFKA_TOPIC", "KAFKA_GROUP"))
    lost = (
        (PRODUCE, re.compile(re.escape(topic) + rb"(?!\.)")),
        (PRODUCE, re.compile(re.escape(topic) + rb"\.checkpoint")),
        (OFFSET_COMMIT, re.compile(re.escape(group))),
    )
    with fault_stack(probe, tmp_path, seed, fork_server=fork_server) as stack:
        for role in ("produce", "consume"):
            stack.start(role).wait_for_log("polling Auth0" if role == "produce" else '"partition assigned"')
        for key, holding in lost:
            for at in (1, 2, 4):
                kafka_gate.drop(key, at, holding=holding)
                stack.feed(_FED)
                stack.until(lambda: kafka_gate.dropped == 1, f"a lost response of {key} to {holding!r}", within=30)
                stack.wait_all_delivered(within=60)
        kafka_gate.drop(-1)
        _finish(stack)
        checkpoints = probe.checkpoints()
        assert checkpoints == sorted(checkpoints), "INV-8: a checkpoint went back"
