"""What a person on call does while consumers run: look, skip, send again, remove."""

from __future__ import annotations

import json
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from jsonschema import validate
from kafka import KafkaProducer

from simulator.tenant_log import TenantLog
from tests.e2e.stack import Process, Stack, ends, simple
from tests.support import faults
from tests.support.listed_log import ListedLog
from tests.support.schemas import CHECKPOINT
from tests.support.transports import Log

StackOf = Callable[[TenantLog], Stack]
POISON = f"900{3:053d}"


@pytest.fixture
def stack(stack_of: StackOf) -> Stack:
    """Thirty events of nine users; one of them always gets 422."""
    stack = stack_of(ListedLog(simple(range(30))))
    stack.receiver.script.add(faults.status(422), when=lambda call: call.log_id == POISON)
    return stack


def _json(process: Process) -> Any:
    return json.loads(ends(process))


def _dead_letters(stack: Stack) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = _json(stack.start("dead-letters", "list", "--json", VERBOSITY="error"))
    return found


def test_a_dead_letter_is_listed_shown_and_sent_again(stack: Stack) -> None:
    consumer = stack.start("run", WEBHOOK_MAX_ATTEMPTS="2")
    stack.wait_delivered(29)
    consumer.wait_for_log("set aside as a dead letter")
    (letter,) = _dead_letters(stack)
    assert (letter["log_id"], letter["type"], letter["attempts"], letter["status"]) == (POISON, "s", 2, 422)
    shown = ends(stack.start("dead-letters", "show", POISON, VERBOSITY="error"))
    assert json.loads(json.loads(shown)["event"])["log_id"] == POISON
    assert "--yes" in ends(stack.start("dead-letters", "retry", "--all"), 2)
    stack.receiver.script.clear()
    assert "1 of 1 dead letter sent again" in ends(stack.start("dead-letters", "retry", "--all", "--yes"))
    stack.wait_delivered(30)
    assert _dead_letters(stack) == []
    assert "is no dead letter" in ends(stack.start("dead-letters", "retry", POISON, "--yes"), 2)
    assert consumer.stop() == 0
    assert [delivery.call.log_id for delivery in stack.receiver.journal.duplicates] == []


@pytest.mark.parametrize("log", ["sqlite"], indirect=True)  # they are chosen from a list, wherever that comes from
def test_dead_letters_are_chosen_by_type_time_and_reason_and_removed(stack: Stack) -> None:
    consumer = stack.start("run", WEBHOOK_MAX_ATTEMPTS="1")
    consumer.wait_for_log("set aside as a dead letter")
    for no_match in (("--type", "limit_wc"), ("--since", "2100-01-01"), ("--until", "2000-01-01"), ("--reason", "skipped")):
        assert "no dead letter matches" in ends(stack.start("dead-letters", "purge", *no_match, "--yes"))
    assert "say which" in ends(stack.start("dead-letters", "purge", "--yes"), 2)
    chosen = ("--type", "s", "--since", "2020-01-01", "--reason", "attempts failed")
    assert "1 of 1 dead letter removed" in ends(stack.start("dead-letters", "purge", *chosen, "--yes"))
    assert _dead_letters(stack) == []
    assert consumer.stop() == 0


def test_a_blocking_event_is_skipped_while_the_consumer_runs(stack: Stack) -> None:
    consumer = stack.start("run")
    stack.wait_delivered(27)  # all but the poisoned user's three
    consumer.wait_for_log("answered 422")
    stack.until_shown(
        lambda: bool(_json(stack.start("status", "--json", VERBOSITY="error"))["undelivered"] == 3)
    )  # once committed
    skip = ("skip", POISON, "--reason", "malformed", "--by", "kim")
    assert "--yes" in ends(stack.start(*skip), 2)
    assert f"begins 3 log ids: {POISON}" in ends(stack.start("skip", POISON[:50], *skip[2:], "--yes"), 2)
    assert f"{POISON} is a dead letter now" in ends(stack.start("skip", POISON[:-1], *skip[2:], "--yes"))
    stack.wait_delivered(29)
    (letter,) = _dead_letters(stack)
    assert letter["reason"] == "skipped by kim: malformed"
    assert "is a dead letter already" in ends(stack.start(*skip, "--yes"), 2)
    assert consumer.stop() == 0
    rows = _json(stack.start("status", "--json", VERBOSITY="error"))["partitions"]
    assert sum(row["lag"] for row in rows) == 0


def test_skipping_an_unknown_event_says_so_and_does_nothing(stack: Stack) -> None:
    consumer = stack.start("run")
    stack.wait_delivered(27)
    text = ends(stack.start("skip", "900111", "--reason", "typo", "--timeout", "5", "--yes"), 3)
    assert "no consumer has taken 900111" in text
    assert "Nothing was done" in text
    assert _dead_letters(stack) == []
    assert consumer.stop() == 0


@pytest.mark.outages
@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGHUP])
def test_an_interrupted_skip_is_withdrawn_though_a_consumer_has_taken_it(stack: Stack, by: signal.Signals) -> None:
    consumer, skip = _skip_while_its_call_is_open(stack)
    assert skip.stop(by) == 128 + by
    assert "interrupted: " in skip.text
    assert "had taken " + POISON in skip.text
    assert "nothing was done" in skip.text
    stack.receiver.script.clear()
    consumer.wait_for_log("a skip is withdrawn")
    stack.wait_delivered(30, within=60)
    assert consumer.stop() == 0
    assert _dead_letters(stack) == []


@pytest.mark.outages
def test_a_skip_outlives_its_killed_command_and_another_operator_is_told_the_truth(stack: Stack) -> None:
    """Its request is valid until it expires; the second request is for the same event."""
    consumer, first = _skip_while_its_call_is_open(stack)
    first.kill()
    second = stack.start("skip", POISON, "--reason", "malformed", "--by", "ann", "--yes")
    _refuse_from_now_on(stack)
    assert "is a dead letter now" in ends(second)
    stack.wait_delivered(29)
    (letter,) = _dead_letters(stack)
    assert letter["reason"] == "skipped by kim: malformed"
    assert consumer.stop() == 0


@pytest.mark.outages
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_a_skip_is_taken_up_by_the_consumer_that_gets_the_partition(stack: Stack, end: signal.Signals) -> None:
    consumer, skip = _skip_while_its_call_is_open(stack)
    _refuse_from_now_on(stack)
    consumer.stop(end)
    following = stack.start("run")
    assert "is a dead letter now" in ends(skip)
    stack.wait_delivered(29)
    assert following.stop() == 0
    assert [letter["log_id"] for letter in _dead_letters(stack)] == [POISON]


@pytest.mark.outages
@pytest.mark.parametrize("log", ["kafka"], indirect=True)
def test_a_skip_survives_a_rebalance(stack: Stack) -> None:
    consumer, skip = _skip_while_its_call_is_open(stack)
    _refuse_from_now_on(stack)
    joining = stack.start("run")
    joining.wait_for_log("partition assigned", within=40)
    assert "is a dead letter now" in ends(skip)
    stack.wait_delivered(29)
    assert [process.stop() for process in (joining, consumer)] == [0, 0]
    assert [letter["log_id"] for letter in _dead_letters(stack)] == [POISON]


@pytest.mark.parametrize("log", ["sqlite"], indirect=True)
def test_a_second_interrupt_ends_a_skip_at_once_whatever_the_log_does(stack: Stack, log: Log) -> None:
    stack.receiver.script.clear()
    assert stack.start("run", "--once").wait(40) == 0
    skip = stack.start("skip", "900000", "--reason", "typo", "--yes")
    with closing(sqlite3.connect(log.environ["SQLITE_PATH"], isolation_level=None)) as other:
        stack.until(lambda: bool(other.execute("SELECT 1 FROM control").fetchall()))
        other.execute("BEGIN IMMEDIATE")  # nothing can be withdrawn
        skip.send(signal.SIGINT)
        skip.wait_for_log("withdrawing the request")
        assert skip.stop(signal.SIGINT, within=3) == -signal.SIGINT


def _skip_while_its_call_is_open(stack: Stack) -> tuple[Process, Process]:
    """A consumer that has taken the skip of an event whose call hangs, and the command that asks for it."""
    stack.receiver.script.clear()
    stack.receiver.script.add(faults.hang_before_headers(), when=lambda call: call.log_id == POISON)
    consumer = stack.start("run", WEBHOOK_TIMEOUT="15", DRAIN_TIMEOUT="1")
    stack.wait_delivered(27)
    stack.until(lambda: stack.receiver.open_calls.now == 1)
    skip = stack.start("skip", POISON, "--reason", "malformed", "--by", "kim", "--yes", "--timeout", "30")
    consumer.wait_for_log("a skip is taken")
    return consumer, skip


def _refuse_from_now_on(stack: Stack) -> None:
    """Open calls hang until their timeout."""
    stack.receiver.script.clear()
    stack.receiver.script.add(faults.status(422), when=lambda call: call.log_id == POISON)


def test_two_operators_at_once_send_it_again_once(stack: Stack) -> None:
    consumer = stack.start("run", WEBHOOK_MAX_ATTEMPTS="1")
    consumer.wait_for_log("set aside as a dead letter")
    stack.receiver.script.clear()
    both = [stack.start("dead-letters", "retry", "--all", "--yes") for _ in range(2)]
    for operator in both:
        operator.wait(40)
    stack.wait_delivered(30)
    assert consumer.stop() == 0
    assert _dead_letters(stack) == []


def test_a_dead_letter_costs_its_position_and_nothing_else_after_a_restart(stack: Stack) -> None:
    for _ in range(2):
        consumer = stack.start("run", WEBHOOK_MAX_ATTEMPTS="1")
        consumer.wait_for_log("partition assigned")
        stack.wait_delivered(29)
        assert consumer.stop() == 0
    calls = [delivery.call.log_id for delivery in stack.receiver.journal.all]
    assert len(calls) == len(set(calls)) == 30


def test_a_checkpoint_is_shown(stack_of: StackOf) -> None:
    stack = stack_of(ListedLog(simple(range(30))))
    assert stack.start("run", "--once").wait(40) == 0
    shown = json.loads(ends(stack.start("checkpoint", "show", "--json", VERBOSITY="error")))
    validate(shown, CHECKPOINT)
    assert (shown["log_id"], shown["gaps"]) == (f"900{29:053d}", 0)
    assert shown["caught_up"] is not None
    assert "say where to" in ends(stack.start("checkpoint", "set"), 2)


@pytest.mark.parametrize("log", ["sqlite"], indirect=True)
def test_the_embedded_log_cannot_lose_its_checkpoint(stack: Stack) -> None:
    assert "one transaction" in ends(stack.start("checkpoint", "set", "--from-topic"), 2)


@pytest.mark.parametrize("log", ["kafka"], indirect=True)
def test_a_poller_whose_checkpoint_is_lost_goes_on_from_the_topic(stack_of: StackOf, log: Log) -> None:
    stack = stack_of(tenant := ListedLog(simple(range(1_200))))
    assert stack.start("run", "--once").wait(40) == 0
    producer = KafkaProducer(bootstrap_servers=log.environ["KAFKA_BOOTSTRAP_SERVERS"])
    producer.send(f"{log.environ['KAFKA_TOPIC']}.checkpoint", None, b"checkpoint").get(10)
    producer.close(timeout=5)
    assert "There is no checkpoint" in ends(stack.start("checkpoint", "show"))
    assert "checkpoint set --from-topic" in ends(stack.start("run", "--once"), 3)
    assert "Nothing was done" in ends(stack.start("checkpoint", "set", "--from-topic"), 2)
    assert f"The checkpoint is 900{1_099:053d}" in ends(stack.start("checkpoint", "set", "--from-topic", "--yes"))
    for raw in simple(range(1_200, 1_220)):
        tenant.append(raw)
    assert stack.start("run", "--once").wait(40) == 0
    assert len(log.dump()) == 1_220
    assert len(stack.receiver.journal) == 1_220


def test_a_reset_is_refused_while_a_poller_is_active_and_says_how_many_may_come_again(stack_of: StackOf, log: Log) -> None:
    stack = stack_of(ListedLog(simple(range(60))))
    poller = stack.start("run")
    stack.wait_delivered(60)
    refused = ends(stack.start("checkpoint", "reset", "--yes"), 3)
    assert "poller" in refused
    assert poller.stop() == 0
    assert "confirm with --yes" in ends(stack.start("checkpoint", "reset"), 2)
    on_kafka = "KAFKA_TOPIC" in log.environ
    said = ends(stack.start("checkpoint", "reset", "--yes"))
    assert ("At most 60 events may be published again" if on_kafka else "No event will be published again") in said
    assert "was reset" in ends(stack.start("checkpoint", "show"))
    shown = json.loads(ends(stack.start("checkpoint", "show", "--json", VERBOSITY="error")))
    validate(shown, CHECKPOINT)
    assert shown["reset"]
    assert stack.start("run", "--once").wait(40) == 0
    assert len(stack.receiver.journal.duplicates) == (60 if on_kafka else 0)


@pytest.mark.parametrize("log", ["kafka"], indirect=True)
def test_a_group_that_no_consumer_uses_is_said_to_be_none(stack_of: StackOf, log: Log) -> None:
    stack = stack_of(ListedLog(simple(range(30))))
    consumer = stack.start("run")
    stack.wait_delivered(30)
    group = log.environ["KAFKA_GROUP"]
    assert f"{group}, 1 member\n" in ends(stack.start("status"))
    assert consumer.stop() == 0
    ended = ends(stack.start("status"))
    assert f"No consumer is running: the group {group} has no member; everything is delivered.\n" in ended
    typo = ends(stack.start("status", KAFKA_GROUP="typo"))
    assert "No consumer has joined the group typo (KAFKA_GROUP) yet; 30 waiting" in typo
    assert "where consumers run, they use another group" in typo
    assert _json(stack.start("status", "--json", KAFKA_GROUP="typo", VERBOSITY="error"))["undelivered"] == 30
