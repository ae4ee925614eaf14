"""P-2 and P-3 with pages fetched ahead: the active poller is frozen for longer than its session, and three of them are started
anew in turn. Each time another one goes on; no checkpoint goes back, and what is twice in the topic was written around a freeze.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

import pytest

from tests.faults.fault_stack import FaultProcess, FaultStack, fault_stack
from tests.faults.log_probe import KafkaProbe
from tests.faults.oracle import examine_and_show
from tests.support.fork_server import ForkServer
from tests.support.kafka.broker import Broker

_SESSION: Final = 1.5
#: Entries: so many full pages that one is fetched ahead whenever the trouble comes.
_FED: Final = 400


def _leads(process: FaultProcess) -> bool:
    text = process.child.text
    return process.child.alive and text.rfind('"polling Auth0"') > text.rfind("standing by")


def _another_leads(stack: FaultStack, than: FaultProcess) -> None:
    others = [process for process in stack.running if process is not than and process.role == "produce"]
    stack.until(lambda: any(map(_leads, others)), "another poller leads", within=30)


def _finish(stack: FaultStack, probe: KafkaProbe) -> None:
    stack.start("consume")
    stack.wait_all_delivered(within=120)
    assert set(stack.stop_all().values()) == {0}
    assert examine_and_show(stack).wrong == []
    checkpoints = probe.checkpoints()
    assert checkpoints == sorted(checkpoints), "INV-8: a checkpoint went back"


@pytest.mark.timeout(280)
def test_a_poller_that_is_frozen_with_a_page_ahead_is_replaced_and_steps_down(
    kafka: Broker, tmp_path: Path, fork_server: ForkServer, seed: int
) -> None:
    probe = KafkaProbe(kafka.bootstrap, session=_SESSION)
    with fault_stack(probe, tmp_path, seed, fork_server=fork_server) as stack:
        pollers = [stack.start("produce") for _ in range(2)]
        stack.until(lambda: any(map(_leads, pollers)), "a poller leads", within=60)
        for _ in range(4):
            active = next(poller for poller in pollers if _leads(poller))
            before = len(stack.probe.records())
            stack.feed(_FED)
            stack.until(lambda before=before: len(stack.probe.records()) > before, "a page is published")  # type: ignore[misc]
            since = stack.freeze(active)
            try:
                _another_leads(stack, active)
            finally:
                stack.thaw(active, since)
            stack.until(lambda active=active: not _leads(active), "the frozen one steps down", within=10)  # type: ignore[misc]
        _finish(stack, probe)


@pytest.mark.timeout(280)
def test_three_pollers_that_are_started_anew_in_turn_publish_each_event_once(
    kafka: Broker, tmp_path: Path, fork_server: ForkServer, seed: int
) -> None:
    probe = KafkaProbe(kafka.bootstrap, session=_SESSION)
    with fault_stack(probe, tmp_path, seed, fork_server=fork_server) as stack:
        pollers = [stack.start("produce") for _ in range(3)]
        for turn in range(9):
            stack.feed(_FED // 2)
            time.sleep(2)
            if turn % 2:
                pollers[turn % 3].kill()
            else:
                assert pollers[turn % 3].stop() == 0
            pollers[turn % 3] = stack.start("produce")
        _finish(stack, probe)
        assert len(probe.records()) == len(stack.expected)
