"""What `status` says while processes run, in each of its states, and how a pause is seen by all of them."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
from jsonschema import validate

from shared.documents.replica import FORGOTTEN, STALE, ReplicaDocument, ReplicaRole
from simulator.tenant_log import TenantLog
from tests.e2e.stack import Stack, ends, simple
from tests.e2e.test_pause import PAUSE, control
from tests.support import faults
from tests.support.listed_log import ListedLog
from tests.support.schemas import STATUS
from tests.support.transports import Log

StackOf = Callable[[TenantLog], Stack]
on_kafka = pytest.mark.parametrize("log", ["kafka"], indirect=True)


def _status(stack: Stack) -> Any:
    seen: Any = json.loads(ends(stack.start("status", "--json", VERBOSITY="error")))
    validate(seen, STATUS)
    return seen


def _until(stack: Stack, state: str) -> Any:
    """Waits for the state; what replicas say is a few seconds old. Returns the status."""
    seen: Any = None

    def fits() -> bool:
        nonlocal seen
        seen = _status(stack)
        return bool(seen["state"] == state)

    stack.until_shown(fits)
    return seen


def test_each_state_is_the_first_that_fits_and_check_tells_by_its_exit_code(stack_of: StackOf) -> None:
    stack = stack_of(tenant := ListedLog(simple(range(30))))
    poller = stack.start("produce")
    poller.wait_for_log("polling Auth0")
    seen = _until(stack, "no_consumer")
    assert "No consumer" in ends(stack.start("status", "--check"), 3)

    consumer = stack.start("consume", WEBHOOK_BREAKER_FAILURES="2", WEBHOOK_PROBE_INTERVAL="60")
    stack.wait_delivered(30)
    _until(stack, "idle")
    stack.until_shown(lambda: all(row["owner"] for row in _status(stack)["partitions"]))  # a consumer says so a second later
    seen = _status(stack)
    assert (seen["undelivered"], seen["dead_letters"], seen["gaps"], seen["unknown"]) == (0, 0, 0, [])
    assert (seen["tenant"], seen["webhook"]) == (stack.tenant.url, stack.receiver.url)
    stack.until_shown(lambda: _status(stack)["poller"]["caught_up"])
    assert seen["checkpoint"]["log_id"] == f"900{29:053d}"
    assert {row["role"] for row in seen["replicas"]} == {"produce", "consume"}
    assert {row["owner"] for row in seen["partitions"]} == {seen["replicas"][0]["id"], seen["replicas"][1]["id"]} & {
        row["id"] for row in seen["replicas"] if row["role"] == "consume"
    }
    assert "Idle; everything is delivered." in ends(stack.start("status", "--check"))

    stack.receiver.script.add(faults.status(503))
    for raw in simple(range(30, 40)):
        tenant.append(raw)
    seen = _until(stack, "webhook_down")
    assert seen["sentence"].startswith("Down: the webhook answered 503 since ")
    assert (seen["breaker"]["state"], seen["undelivered"]) == ("open", 10)
    stack.until_shown(lambda: any((row["oldest"] or {}).get("attempts") for row in _status(stack)["partitions"]))
    assert "10 waiting, the oldest" in ends(stack.start("status", "--check"), 3)

    ends(stack.start(*PAUSE))
    seen = _status(stack)
    assert (seen["state"], seen["paused"]["by"], seen["paused"]["why"]) == ("paused", "ada", "migration")
    ends(stack.start("resume", "--yes"))
    assert poller.stop() == 0
    assert _until(stack, "no_poller")["poller"] is None
    stack.receiver.script.clear()
    consumer.stop()
    assert _until(stack, "no_consumer")["replicas"] == []


def test_it_watches_until_it_is_stopped(stack_of: StackOf) -> None:
    stack = stack_of(ListedLog(simple(range(9))))
    assert stack.start("run", "--once").wait(40) == 0
    watch = stack.start("status", "--watch", "--json", VERBOSITY="error")
    stack.until(lambda: len(watch.text.splitlines()) > 1)
    assert watch.stop(signal.SIGINT) == 0
    for line in watch.text.splitlines():
        validate(json.loads(line), STATUS)
    assert "give one of them" in ends(stack.start("status", "--watch", "--check"), 2)


def test_a_replica_that_was_not_heard_of_is_stale_and_one_of_long_ago_is_removed(stack_of: StackOf, log: Log) -> None:
    stack = stack_of(ListedLog(simple(range(9))))
    assert stack.start("run", "--once").wait(40) == 0
    for name, ago in (("stale:1:x", STALE + 5), ("gone:1:x", FORGOTTEN + 60)):
        document = ReplicaDocument(
            id=name,
            role=ReplicaRole.CONSUME,
            version="1",
            started=1.0,
            seen=time.time() - ago,
            counts={},
            rates={},
            consumer=None,
            poller=None,
        )
        control(log, **{document.key.replace("/", "__"): document.encode()})
    assert [(row["id"], row["stale"]) for row in _status(stack)["replicas"]] == [("gone:1:x", True), ("stale:1:x", True)]
    runs = stack.start("run")
    stack.until_shown(lambda: {row["stale"] for row in _status(stack)["replicas"]} == {True, False})
    assert "gone:1:x" not in {row["id"] for row in _status(stack)["replicas"]}
    assert runs.stop() == 0


@pytest.mark.outages
def test_a_killed_replica_turns_stale(stack_of: StackOf) -> None:
    stack = stack_of(ListedLog(simple(range(9))))
    runs = stack.start("run")
    runs.wait_for_log("polling Auth0")
    _until(stack, "idle")
    runs.kill()
    seen = _until(stack, "no_consumer")
    stack.until_shown(lambda: [row["stale"] for row in _status(stack)["replicas"]] == [True])
    assert seen["undelivered"] == 0


def test_rubbish_in_the_control_table_is_named_and_delivery_goes_on(stack_of: StackOf, log: Log) -> None:
    stack = stack_of(tenant := ListedLog(simple(range(9))))
    assert stack.start("run", "--once").wait(40) == 0
    rubbish = {f"{kind}__{number}": b"\xff{" for kind in ("replica", "audit", "skip", "gap", "job") for number in range(20)}
    control(log, **rubbish, desired__delivery=b"[]")
    runs = stack.start("run")
    for raw in simple(range(9, 20)):
        tenant.append(raw)
    stack.wait_delivered(20)
    seen = _until(stack, "idle")
    assert any("desired/delivery in the control table is left alone: " in sentence for sentence in seen["unknown"])
    assert seen["gaps"] == 20
    assert runs.stop() == 0
    assert len(stack.receiver.journal) == 20


@on_kafka
def test_a_pause_under_load_holds_for_three_replicas_and_one_that_joins_and_loses_and_repeats_nothing(
    stack_of: StackOf,
) -> None:
    stack = stack_of(tenant := ListedLog(simple(range(600))))
    stack.receiver.latency = 0.05
    replicas = [stack.start("run") for _ in range(3)]
    stack.wait_delivered(60)
    said = ends(stack.start(*PAUSE))
    assert "consumers begin no call any more" in said
    time.sleep(1.5)  # open calls end
    calls = len(stack.receiver.journal.all)
    committed = [row["committed"] for row in _until(stack, "paused")["partitions"]]
    joins = stack.start("run")
    joins.wait_for_log("partition assigned")
    for raw in simple(range(600, 650)):
        tenant.append(raw)
    stack.until_shown(lambda: _status(stack)["checkpoint"]["log_id"] == f"900{649:053d}")
    assert len(stack.receiver.journal.all) == calls
    seen = _status(stack)
    assert (seen["state"], seen["members"]) == ("paused", 4)
    assert sum(row["committed"] or 0 for row in seen["partitions"]) >= sum(at or 0 for at in committed)
    assert sum(row["undelivered"] for row in seen["partitions"]) == 650 - calls
    assert "4 consumers may begin calls again" in ends(stack.start("resume", "--yes"))
    stack.wait_delivered(650, within=60)
    assert [process.stop() for process in (*replicas, joins)] == [0, 0, 0, 0]
    assert len(stack.receiver.journal.all) == 650
