"""Brokers that are killed and frozen under load: every process goes on, nothing is lost, and nothing is in the topic twice."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from simulator.tenant_log import TenantLog
from tests.e2e.stack import Stack
from tests.e2e.traffic import traffic
from tests.support.kafka.broker import Broker
from tests.support.listed_log import ListedLog
from tests.support.transports import Log

pytestmark = [pytest.mark.outages, pytest.mark.parametrize("log", ["own kafka"], indirect=True)]

StackOf = Callable[[TenantLog], Stack]
FREEZE = 15.0
WINDOW = 50


def _comes_back(stack: Stack, broker_comes_back: Callable[[], None]) -> None:
    """Waits until new events are delivered."""
    before = len(stack.receiver.journal.delivered)
    broker_comes_back()
    stack.wait_delivered(before + 3 * WINDOW, within=30)


def test_a_broker_that_is_killed_and_one_that_is_frozen_are_ridden_out(stack_of: StackOf, log: Log, own_kafka: Broker) -> None:
    tenant_log = ListedLog()
    stack = stack_of(tenant_log)
    stack.receiver.latency = 0.03
    journal = stack.receiver.journal
    processes = [stack.start(command, WINDOW=str(WINDOW)) for command in ("consume", "consume", "produce", "produce")]
    with traffic(tenant_log, per_second=100) as log_ids:
        stack.wait_delivered(100)
        own_kafka.kill()
        time.sleep(1)
        _comes_back(stack, own_kafka.start)
        own_kafka.freeze()
        time.sleep(FREEZE)
        _comes_back(stack, own_kafka.thaw)
    stack.receiver.latency = 0
    stack.wait_delivered(len(log_ids))
    assert [process.stop() for process in processes] == [0, 0, 0, 0]
    assert sorted(journal.delivered) == sorted(log.dump().values()) == log_ids
    assert journal.disorder() == []
    assert stack.receiver.open_calls.peak() <= 5
    assert len(journal.duplicates) <= 2 * WINDOW  # of each consumer once
