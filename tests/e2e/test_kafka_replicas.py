"""Replicas that share the work on Kafka: they come, go, stop and are killed while events flow."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from kafka import KafkaAdminClient

from simulator.journal import Journal
from simulator.tenant_log import TenantLog
from tests.e2e.stack import Process, Stack, simple
from tests.e2e.traffic import traffic
from tests.support import faults
from tests.support.listed_log import ListedLog
from tests.support.position_observer import watching
from tests.support.transports import Log

pytestmark = [pytest.mark.outages, pytest.mark.parametrize("log", ["kafka"], indirect=True)]

StackOf = Callable[[TenantLog], Stack]
WINDOW = 50


def _everything(count: int) -> list[str]:
    return [f"900{number:053d}" for number in range(count)]


def _wait_for_shares(stack: Stack, log: Log, partitions: list[int]) -> None:
    """Waits until the members of the consumers' group own so many partitions each."""
    stack.until(lambda: _owned(log) == partitions)


def _owned(log: Log) -> list[int]:
    """Empty while the group is rebalancing."""
    admin = KafkaAdminClient(bootstrap_servers=log.environ["KAFKA_BOOTSTRAP_SERVERS"])
    try:
        group = admin.describe_groups([log.environ["KAFKA_GROUP"]])[log.environ["KAFKA_GROUP"]]
    finally:
        admin.close()
    if group["group_state"] != "Stable":
        return []
    assignments = [member["member_assignment"]["assigned_partitions"] for member in group["members"]]
    return sorted(sum(len(topic["partitions"]) for topic in assigned) for assigned in assignments)


def _wait_for_log(stack: Stack, processes: Sequence[Process], words: str) -> None:
    """Waits until one of their logs holds these words."""
    stack.until(lambda: any(words in process.text for process in processes))


def _goes_on(stack: Stack) -> None:
    stack.wait_delivered(len(stack.receiver.journal.delivered) + 50)


def _is_clean(journal: Journal) -> bool:
    """No call was broken off, and nothing was sent twice."""
    return {(delivery.verdict, delivery.duplicate) for delivery in journal.all} == {("ok", False)}


def test_consumers_join_stop_and_are_killed_at_work_and_nothing_is_lost(stack_of: StackOf, log: Log) -> None:
    tenant_log = ListedLog()
    stack = stack_of(tenant_log)
    stack.receiver.latency = 0.03
    journal = stack.receiver.journal
    with watching(log.transport, journal) as watch:
        with traffic(tenant_log, per_second=150) as log_ids:
            producer = stack.start("produce")
            crew = [stack.start("consume", WINDOW=str(WINDOW)) for _ in range(3)]
            _wait_for_shares(stack, log, [2, 2, 2])
            _goes_on(stack)
            crew.append(stack.start("consume", WINDOW=str(WINDOW)))
            _wait_for_shares(stack, log, [1, 1, 2, 2])
            for left in ([2, 2, 2], [3, 3]):
                _goes_on(stack)
                assert crew.pop(0).stop() == 0
                _wait_for_shares(stack, log, left)
            _goes_on(stack)
            assert _is_clean(journal)
            crew.pop().kill()
            _wait_for_shares(stack, log, [6])
        stack.receiver.latency = 0
        stack.wait_delivered(len(log_ids))
        assert [producer.stop(), crew[0].stop()] == [0, 0]
    records = log.dump()
    assert sorted(journal.delivered) == sorted(records.values()) == log_ids
    assert len(journal.duplicates) <= WINDOW
    assert journal.disorder() == []
    assert stack.receiver.open_calls.peak() == 5
    assert watch.ahead(records) == []
    assert len(watch.samples) > 50
    assert all(offset < watch.last[partition].offset for partition, offset in records)


def test_a_replica_without_a_share_of_the_calls_says_so_and_takes_over(stack_of: StackOf, log: Log) -> None:
    tenant_log = ListedLog()
    stack = stack_of(tenant_log)
    stack.receiver.latency = 0.03
    with traffic(tenant_log, per_second=100) as log_ids:
        producer = stack.start("produce")
        crew = [stack.start("consume", WEBHOOK_CONCURRENT_CALLS="2") for _ in range(3)]
        _wait_for_log(stack, crew, "standing by")
        _wait_for_shares(stack, log, [0, 3, 3])
        (standby,) = (process for process in crew if "standing by" in process.text)
        crew.remove(standby)
        _goes_on(stack)
        assert crew.pop().stop() == 0
        standby.wait_for_log("partition assigned")
        _goes_on(stack)
        assert crew.pop().stop() == 0
        _wait_for_shares(stack, log, [6])
    stack.receiver.latency = 0
    stack.wait_delivered(len(log_ids))
    assert [producer.stop(), standby.stop()] == [0, 0]
    assert sorted(stack.receiver.journal.delivered) == log_ids
    assert _is_clean(stack.receiver.journal)
    assert stack.receiver.open_calls.peak() == 2


def test_a_standby_producer_takes_over_from_a_killed_one_and_publishes_nothing_twice(stack_of: StackOf, log: Log) -> None:
    count = 1_500
    stack = stack_of(ListedLog(simple(range(count), users=60)))
    consumer = stack.start("consume")
    producers = [stack.start("produce", BATCH_SIZE="10") for _ in range(2)]
    for part in (200, 700):
        stack.wait_delivered(part)
        (active,) = (producer for producer in producers if "polling Auth0" in producer.text)
        (standby,) = (producer for producer in producers if producer is not active)
        standby.wait_for_log("standing by")
        active.kill()
        producers = [standby, stack.start("produce", BATCH_SIZE="10")]
        _wait_for_log(stack, producers, "polling Auth0")
    journal = stack.receiver.journal
    assert len(journal.delivered) < count, "the kills did not hit a producer at work"
    stack.wait_delivered(count)
    assert [process.stop() for process in (consumer, *producers)] == [0, 0, 0]
    assert sorted(log.dump().values()) == sorted(journal.delivered) == _everything(count)
    assert journal.duplicates == ()
    assert journal.disorder() == []


def test_a_rebalance_while_the_webhook_hangs_costs_no_membership(stack_of: StackOf, log: Log) -> None:
    """The drain takes longer than a session."""
    stack = stack_of(ListedLog(simple(range(200), users=50)))
    stack.receiver.script.add(faults.hang_before_headers())
    settings = {"KAFKA_SESSION_TIMEOUT": "1.5", "DRAIN_TIMEOUT": "3"}
    producer, first = stack.start("produce"), stack.start("consume", **settings)
    stack.until(lambda: stack.receiver.open_calls.now == 5)
    second = stack.start("consume", **settings)
    first.wait_for_log("broken off at the drain timeout")
    _wait_for_shares(stack, log, [3, 3])
    stack.receiver.script.clear()
    stack.wait_delivered(200)
    assert [process.stop() for process in (producer, first, second)] == [0, 0, 0]
    assert all("partitions lost" not in process.text for process in stack.processes)
    journal = stack.receiver.journal
    assert sorted(journal.delivered) == _everything(200)
    assert journal.duplicates == ()
    assert stack.receiver.open_calls.peak() == 5
