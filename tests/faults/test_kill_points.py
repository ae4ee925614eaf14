"""C-1, C-4: SIGKILL at every failpoint, at random moments, and to the broker, under load and faulty responses. Nothing is frozen
here, so nothing excuses a record that is twice in the topic.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from shared import failpoints
from tests.faults.chaos import Chaos
from tests.faults.chaos_run import chaos_run
from tests.faults.fault_stack import fault_stack
from tests.faults.log_probe import KafkaProbe, SqliteProbe
from tests.support.fork_server import ForkServer
from tests.support.kafka.broker import Broker

pytestmark = pytest.mark.faults

POINTS = [*failpoints.CONSUMER, *failpoints.PRODUCER] * 2
SETTINGS = {"WINDOW": "200", "WEBHOOK_MAX_ATTEMPTS": "8"}


@pytest.mark.timeout(600)
def test_a_kill_at_any_point_loses_nothing_on_kafka(
    own_kafka: Broker, tmp_path: Path, fork_server: ForkServer, seed: int
) -> None:
    probe = KafkaProbe(own_kafka.bootstrap)
    actions = ["kill consume"] * 6 + ["kill produce"] * 3 + ["broker kill"] * 4
    with fault_stack(probe, tmp_path, seed, fork_server=fork_server, **SETTINGS) as stack:
        roles = ["consume", "consume", "consume", "produce", "produce"]
        chaos = Chaos(stack, roles, POINTS, actions, broker=own_kafka)
        report = chaos_run(chaos, within=400)
        assert report.wrong == []
        assert report.repeated_records == 0
        assert report.peak_calls <= 5
        assert report.events > 2_000
        assert report.rebalances > 10


@pytest.mark.timeout(400)
def test_a_kill_at_any_point_loses_nothing_on_sqlite(tmp_path: Path, fork_server: ForkServer, seed: int) -> None:
    probe = SqliteProbe(tmp_path / "log.db")
    with fault_stack(probe, tmp_path, seed, fork_server=fork_server, **SETTINGS) as stack:
        report = chaos_run(Chaos(stack, ["run"], POINTS, actions=["kill run"] * 4, restart=(0.0, 0.1)), within=300)
        assert report.wrong == []
        assert report.repeated_records == 0
        assert report.peak_calls <= 5
        assert report.events > 2_000
