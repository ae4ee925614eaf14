"""C-21, stops in every situation, and the time until work goes on after a kill or a restart."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from tests.faults.fault_stack import FaultProcess, FaultStack, fault_stack
from tests.faults.log_probe import KafkaProbe
from tests.faults.oracle import Disturbance, examine, examine_and_show
from tests.faults.report import show
from tests.support import faults
from tests.support.fork_server import ForkServer
from tests.support.kafka.broker import Broker

SESSION: Final = 2.0
#: A poll, a drain, a commit and a goodbye without any response take about 9 s.
GRACE: Final = 14.0
#: Seconds without progress that count as hung, also on a busy machine.
_HUNG: Final = 30.0


@pytest.mark.timeout(120)
def test_a_rolling_restart_repeats_nothing(kafka: Broker, tmp_path: Path, fork_server: ForkServer, seed: int) -> None:
    with fault_stack(KafkaProbe(kafka.bootstrap, session=10), tmp_path, seed, fork_server=fork_server) as stack:
        stack.receiver.latency = 0.005
        processes = [stack.start("consume") for _ in range(3)]
        stack.start("produce")
        for turn in range(9):
            stack.feed(250)
            stack.until(lambda: any(stack.is_calling(process) for process in processes), "a consumer makes calls")
            process = processes[turn % 3]
            process.wait_for_log("calls of this member")
            assert process.stop(within=20) == 0
            processes[turn % 3] = stack.start("consume")
        stack.wait_all_delivered(within=60)
        assert set(stack.stop_all().values()) == {0}
        report = examine_and_show(stack)
        assert report.wrong == []
        assert (report.duplicates, report.repeated_records) == (0, 0)
        assert report.peak_calls <= 5
        assert report.rebalances >= 9


@pytest.mark.timeout(120)
def test_a_stop_ends_in_time_whatever_is_dead(own_kafka: Broker, tmp_path: Path, fork_server: ForkServer, seed: int) -> None:
    settings = {"STOP_GRACE": str(GRACE), "DRAIN_TIMEOUT": "2", "WEBHOOK_TIMEOUT": "30"}
    with fault_stack(KafkaProbe(own_kafka.bootstrap), tmp_path, seed, fork_server=fork_server, **settings) as stack:
        seconds: dict[str, float] = {}

        def stopped(situation: str, break_it: Callable[[], None], repair: Callable[[], None]) -> None:
            stack.feed(100)
            processes = [stack.start("consume"), stack.start("produce")]
            stack.until(lambda: stack.is_calling(processes[0], 2.0), "the consumer works")
            processes[1].wait_for_log("polling Auth0")
            break_it()
            time.sleep(0.5)
            began = time.monotonic()
            for process in processes:
                process.terminate()
            for process in processes:
                code = process.child.wait(40)
                seconds[f"{situation}, {process.role}, exit code {code}"] = round(time.monotonic() - began, 1)
            repair()

        stopped("broker dead", own_kafka.kill, own_kafka.start)
        stopped("broker frozen", own_kafka.freeze, own_kafka.thaw)
        stopped("webhook hangs", lambda: stack.receiver.script.add(faults.hang_before_headers()), stack.receiver.script.clear)
        show(f"FAULTS_SEED={seed}\n{seconds}")
        for role in ("consume", "produce"):
            stack.start(role)
        stack.wait_all_delivered(within=60)
        assert set(stack.stop_all().values()) == {0}
        report = examine(stack, [Disturbance(0, time.monotonic())])
        show(report)
        assert all(took <= GRACE + 5 for took in seconds.values()), seconds
        assert report.wrong == []
        assert {process.child.code for process in stack.processes} == {0}


@pytest.mark.timeout(60)
def test_a_stop_that_a_frozen_broker_holds_up_logs_it(
    own_kafka: Broker, tmp_path: Path, fork_server: ForkServer, seed: int
) -> None:
    settings = {"STOP_GRACE": "1", "DRAIN_TIMEOUT": "0.5"}
    with fault_stack(KafkaProbe(own_kafka.bootstrap), tmp_path, seed, fork_server=fork_server, **settings) as stack:
        stack.feed(50)
        stack.start("produce")
        consumer = stack.start("consume")
        stack.until(lambda: stack.is_calling(consumer, 2.0), "the consumer works")
        own_kafka.freeze()
        assert consumer.stop(within=20) == 3
        own_kafka.thaw()
        assert [*consumer.lines()][-1]["event"].startswith("not everything ended within STOP_GRACE (1 s)")
        assert "Traceback" not in consumer.child.text


@pytest.mark.timeout(120)
def test_work_goes_on_soon_after_a_kill_and_after_a_restart_of_the_broker(
    own_kafka: Broker, tmp_path: Path, fork_server: ForkServer, seed: int
) -> None:
    """Not a test of speed: it prints how long both took, and fails only without progress."""
    with fault_stack(KafkaProbe(own_kafka.bootstrap, session=SESSION), tmp_path, seed, fork_server=fork_server) as stack:
        processes = [stack.start("consume"), stack.start("consume"), stack.start("produce")]
        for process in processes[:2]:
            process.wait_for_log('"partition assigned"')
        _steady(stack, 3.0)
        processes[1].kill()
        killed = time.monotonic()
        partitions = _partitions(processes[1])
        taken_over = _taken_over(stack, processes[0], partitions)
        _steady(stack, 2.0)
        own_kafka.kill()
        _steady(stack, 2.0)
        own_kafka.start()
        opened, done = time.monotonic(), len(stack.receiver.journal)
        while len(stack.receiver.journal) <= done + 5 and time.monotonic() - opened < _HUNG:
            stack.feed(2)
            time.sleep(0.05)
        flowing = time.monotonic() - opened
        show(f"FAULTS_SEED={seed}\ntaken over {taken_over - killed:.1f} s after a kill, ")
        show(f"records flow {flowing:.1f} s after the broker can be used again")
        stack.wait_all_delivered(within=60)
        stack.stop_all()
        report = examine(stack, [Disturbance(killed, time.monotonic())])
        show(report)
        assert report.wrong == []
        assert flowing < _HUNG


def _steady(stack: FaultStack, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        stack.feed(4)
        time.sleep(0.05)


def _partitions(process: FaultProcess) -> set[int]:
    return {line["partition"] for line in process.lines() if line.get("event") == "partition assigned"}


def _taken_over(stack: FaultStack, successor: FaultProcess, partitions: set[int]) -> float:
    """Waits until `successor` has them all. Returns the time, by `time.monotonic`. Raises TimeoutError."""
    assert partitions
    before = len([line for line in successor.lines() if line.get("event") == "partition assigned"])

    def has_them() -> bool:
        lines = [line for line in successor.lines() if line.get("event") == "partition assigned"][before:]
        return {line["partition"] for line in lines} >= partitions

    stack.until(has_them, "the partitions are taken over")
    return time.monotonic()
