"""Where one event is, in each of its states, asked while processes run."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from jsonschema import validate

from shared.documents import audit
from shared.documents.replica import BreakerReport, ConsumerReport, EventState, PendingEvent, ReplicaDocument, ReplicaRole
from shared.words import BreakerState
from simulator.tenant_log import TenantLog
from tests.e2e.stack import Stack, ends
from tests.e2e.test_pause import PAUSE, control
from tests.support import faults
from tests.support.listed_log import ListedLog
from tests.support.schemas import SHOWN
from tests.support.transports import Log

StackOf = Callable[[TenantLog], Stack]
_AT: Final = datetime.now(UTC) - timedelta(minutes=1)


def log_id(number: int, at: datetime = _AT) -> str:
    """As Auth0 makes them: with their time."""
    return f"900{at:%Y%m%d%H%M%S}{number:040d}"


DELIVERED, RETRYING, BEHIND, OPEN, FILTERED, LAST = map(log_id, range(6))


def _entry(of: str, user: str, code: str = "s") -> bytes:
    return f'{{"log_id":"{of}","type":"{code}","date":"{_AT.isoformat()}","user_id":"auth0|{user}"}}'.encode()


@pytest.fixture
def stack(stack_of: StackOf) -> Stack:
    stack = stack_of(
        ListedLog(
            [
                _entry(DELIVERED, "a"),
                _entry(RETRYING, "b"),
                _entry(BEHIND, "b"),
                _entry(OPEN, "c"),
                _entry(FILTERED, "d", "sapi"),
                _entry(LAST, "e"),
            ]
        )
    )
    not_yet = faults.status(422, headers=(("Retry-After", "300"),))
    stack.receiver.script.add(not_yet, when=lambda call: call.log_id == RETRYING)
    stack.receiver.script.add(faults.hang_before_headers(), when=lambda call: call.log_id == OPEN)
    return stack


def _shown(stack: Stack, of: str, **settings: str) -> Any:
    shown: Any = json.loads(ends(stack.start("show", of, "--json", **{"VERBOSITY": "error", **settings})))
    validate(shown, SHOWN)
    return shown


def test_each_state_of_an_event_is_shown_while_a_consumer_runs(stack: Stack, log: Log) -> None:
    runs = stack.start("run", WEBHOOK_BACKOFF_CAP="300", WEBHOOK_TIMEOUT="60", DRAIN_TIMEOUT="1")
    stack.wait_delivered(2)
    stack.until(lambda: stack.receiver.open_calls.now == 1)

    stack.until_shown(lambda: _shown(stack, DELIVERED)["state"] == "delivered")
    assert "derived" in _shown(stack, DELIVERED)["why"]

    stack.until_shown(lambda: _shown(stack, RETRYING)["state"] == "retrying")
    retrying = _shown(stack, RETRYING)
    assert (retrying["attempts"], "422" in retrying["last_outcome"]) == (1, True)
    assert datetime.fromisoformat(retrying["next_try"]) > datetime.now(UTC)

    behind = _shown(stack, BEHIND)
    assert (behind["state"], behind["behind"]) == ("waiting", RETRYING)

    stack.until_shown(lambda: _shown(stack, OPEN)["state"] == "in_flight")
    filtered = _shown(stack, FILTERED)
    assert (filtered["state"], filtered["partition"]) == ("filtered", None)
    assert filtered["why"].startswith("LOG_TYPES leaves it out: sapi is an event of the Management API")
    unasked = _shown(stack, FILTERED, AUTH0_CLIENT_ID="")
    assert unasked["state"] == "unknown"
    assert "AUTH0_CLIENT_ID is not set" in unasked["why"]

    assert "is a dead letter now" in ends(stack.start("skip", RETRYING, "--reason", "malformed", "--by", "kim", "--yes"))
    dead = _shown(stack, RETRYING)
    assert (dead["state"], "skipped by kim: malformed" in dead["why"]) == ("dead", True)
    assert f"{RETRYING}: dead" in ends(stack.start("show", RETRYING))
    stack.receiver.script.clear()
    runs.kill()
    control(log, **{f"gap__{log_id(99)}": b"{}"})
    assert _shown(stack, log_id(99))["state"] == "gap"


def test_what_is_not_known_is_not_invented(stack: Stack) -> None:
    stack.receiver.script.clear()
    assert stack.start("run", "--once").wait(40) == 0
    unknown = {
        "no-such-id": "no time can be read from this id",
        log_id(7): "Auth0's log was not read as far as this id",
        log_id(0, _AT - timedelta(hours=1)): "Auth0 knows no entry of this id",
    }
    for of, words in unknown.items():
        shown = _shown(stack, of)
        assert (shown["state"], shown["partition"], shown["behind"]) == ("unknown", None, None)
        assert words in shown["why"]
    assert f"{LAST}: delivered" in ends(stack.start("show", LAST))
    assert "begins 5 log ids" in ends(stack.start("show", LAST[:30]), 2)


def test_an_event_waits_for_a_consumer_or_for_the_end_of_a_pause(stack: Stack) -> None:
    produces = stack.start("produce")
    produces.wait_for_log("polling Auth0")
    stack.until_shown(lambda: LAST in ends(stack.start("tail")))
    waiting = _shown(stack, LAST)
    assert waiting["state"] == "waiting"
    assert "No consumer says that it works on this partition" in waiting["why"]
    assert _shown(stack, BEHIND)["behind"] == RETRYING
    ends(stack.start(*PAUSE))
    assert "Delivery is paused by ada since" in _shown(stack, LAST)["why"]
    assert produces.stop() == 0


@pytest.mark.parametrize("log", ["sqlite"], indirect=True)
def test_of_an_event_that_rules_hold_it_says_what_they_do(stack: Stack, log: Log) -> None:
    produces = stack.start("produce")
    produces.wait_for_log("polling Auth0")
    stack.until_shown(lambda: LAST in ends(stack.start("tail")))
    held = {LAST: ("slack", "rule slack is running", None), OPEN: ("", "rule 'slack' failed: no", time.time() + 60)}
    for of, (rule, reason, next_try) in held.items():
        shown = _shown(stack, of)
        event = PendingEvent(
            partition=shown["partition"],
            offset=shown["offset"],
            log_id=of,
            type="s",
            since=time.time(),
            state=EventState.WAITING if next_try is None else EventState.RETRYING,
            oldest=False,
            attempts=0,
            last_outcome="",
            next_try=next_try,
            rule=rule,
            reason=reason,
        )
        control(log, replica__one=_replica(event).encode())
        shown = _shown(stack, of)
        assert (shown["state"], shown["next_try"] is None) == ("waiting", next_try is None)
        assert reason in shown["why"]
        assert "one said so" in shown["why"]
        assert ("its rules failed and run again, and the events of its user wait: " in shown["why"]) == (next_try is not None)
    assert produces.stop() == 0


def _replica(event: PendingEvent) -> ReplicaDocument:
    consumer = ConsumerReport(
        webhook="https://example.com",
        share=5,
        concurrent_calls=5,
        in_flight=0,
        window_events=1,
        waiting_retry_events=0,
        done_beyond=0,
        breaker=BreakerReport(state=BreakerState.CLOSED, since=None, last_outcome="", probe_at=None),
        paused=False,
        desired="",
        partitions=(event.partition,),
        events=(event,),
    )
    return ReplicaDocument(
        id="one",
        role=ReplicaRole.CONSUME,
        version="1",
        started=time.time(),
        seen=time.time(),
        counts={},
        rates={},
        consumer=consumer,
        poller=None,
    )


def test_what_operators_did_to_dead_letters_and_the_checkpoint_is_written_down_and_shown(stack: Stack, log: Log) -> None:
    runs = stack.start("run", WEBHOOK_MAX_ATTEMPTS="1", WEBHOOK_TIMEOUT="60", DRAIN_TIMEOUT="1")
    runs.wait_for_log("set aside as a dead letter")
    assert _shown(stack, RETRYING)["state"] == "dead"
    assert "answered 422" in _shown(stack, RETRYING)["last_outcome"]
    stack.receiver.script.clear()
    assert "1 of 1 dead letter sent again" in ends(stack.start("dead-letters", "retry", RETRYING, "--yes"))
    stack.until_shown(lambda: _shown(stack, RETRYING)["state"] == "delivered")
    not_yet = faults.status(422, headers=(("Retry-After", "300"),))
    stack.receiver.script.add(not_yet, when=lambda call: call.log_id == RETRYING)
    runs.kill()
    assert stack.start("checkpoint", "reset", "--yes", "--force").wait(40) == 0
    entries = audit.entries(control(log))
    assert [(one.what, one.result) for one in entries] == [
        (f"dead-letters retry {RETRYING}", "1 of 1 dead letter sent again"),
        ("checkpoint reset", "done"),
    ]
    assert {one.by for one in entries} == {entries[0].by}
    assert "@" in entries[0].by


def test_a_dead_letter_that_was_removed_is_not_said_to_be_delivered(stack: Stack) -> None:
    stack.receiver.script.clear()
    not_yet = faults.status(422, headers=(("Retry-After", "300"),))
    stack.receiver.script.add(not_yet, when=lambda call: call.log_id == RETRYING)
    runs = stack.start("run", WEBHOOK_MAX_ATTEMPTS="1")
    runs.wait_for_log("set aside as a dead letter")
    dead = _shown(stack, RETRYING)
    place = f"{dead['partition']}:{dead['offset']}"
    assert [_shown(stack, of)["state"] for of in (RETRYING, place)] == ["dead", "dead"]
    assert "1 of 1 dead letter removed" in ends(stack.start("dead-letters", "purge", RETRYING, "--yes"))
    for of in (RETRYING, place):
        removed = _shown(stack, of)
        assert (removed["state"], "removed it at" in removed["why"]) == ("dead", True)
    assert runs.stop() == 0
