"""The alarm before the topic's retention takes what is not delivered: first a warning, then an error, and nothing is lost yet."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from shared.settings import Role, load
from tests.faults.fault_stack import FaultProcess, fault_stack
from tests.faults.log_probe import KafkaProbe
from tests.integration.kafka_operator.fixtures import configure
from tests.support import faults
from tests.support.fork_server import ForkServer
from tests.support.kafka.broker import Broker

#: Below the five minutes after which a broker looks for old segments the first time.
_RETENTION: Final = 20_000  # milliseconds
_ALARM: Final = "an event was not delivered for long: the topic will remove it undelivered"


@pytest.mark.timeout(150)
def test_an_event_that_waits_for_half_of_the_topic_s_retention_is_told_before_it_is_removed(
    kafka: Broker, tmp_path: Path, fork_server: ForkServer, seed: int
) -> None:
    probe = KafkaProbe(kafka.bootstrap)
    settings = load(Role.LOG, probe.environ, None).transport
    configure(settings, settings.topic, retention_ms=_RETENTION)
    with fault_stack(probe, tmp_path, seed, fork_server=fork_server) as stack:
        stack.receiver.script.add(faults.status(503))
        stack.feed(20)
        producer = stack.start("produce")
        consumer = stack.start("consume", patches={"admin.actions.alarms._LOOK_EVERY": 0.3})
        stack.until(lambda: _levels(consumer) == ["warning", "error"], "an alarm of each level", within=60)
        stack.receiver.script.clear()
        stack.wait_all_delivered(within=60)
        assert [process.stop() for process in (producer, consumer)] == [0, 0]
        assert _levels(consumer) == ["warning", "error"]


def _levels(process: FaultProcess) -> list[str]:
    return [line["level"] for line in process.lines() if line["event"] == _ALARM]
