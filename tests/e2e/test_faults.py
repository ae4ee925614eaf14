"""A receiver that fails in every way: no event is skipped, and all arrive once it recovers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from simulator.faults import HttpFault
from simulator.tenant_log import TenantLog
from tests.e2e.stack import Stack, simple
from tests.support import faults
from tests.support.background import run_on
from tests.support.listed_log import ListedLog

StackOf = Callable[[TenantLog], Stack]
FAULTS = {
    "500": faults.status(500),
    "404": faults.status(404),
    "204": faults.status(204),
    "201": faults.status(201),
    "302": faults.redirect("/elsewhere"),
    "308": faults.redirect("/elsewhere", 308),
    "hang before headers": faults.hang_before_headers(),
    "close": faults.close(),
    "cut headers": faults.cut_headers(),
    "reset": faults.reset_before_headers(),
}


#: A call knows nothing of the log that its event is from: on Kafka a response and a silence stand for all.
CASES = [*(("sqlite", fault) for fault in FAULTS), ("kafka", "500"), ("kafka", "hang before headers")]


@pytest.mark.parametrize(("log", "name"), CASES, indirect=["log"])
def test_nothing_is_passed_over_and_all_arrives_when_it_recovers(stack_of: StackOf, name: str) -> None:
    stack = stack_of(ListedLog(simple(range(60))))
    stack.receiver.script.add(FAULTS[name])
    process = stack.start("run", WEBHOOK_TIMEOUT="0.3")
    journal = stack.receiver.journal
    run_on(stack.receiver, journal.wait_until(lambda journal: len(journal) >= 20, timeout=60))
    assert journal.delivered == ()
    stack.receiver.script.clear()
    stack.wait_delivered(60)
    assert process.stop() == 0
    assert journal.disorder() == []
    assert journal.duplicates == ()
    assert all(delivery.call.path == "/hook" for delivery in journal.all)


@pytest.mark.parametrize("log", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "fault", [faults.hang_after_headers(), faults.short_body(), faults.reset_after_headers()], ids=lambda f: f.name
)
def test_a_200_whose_body_breaks_off_is_a_200(stack_of: StackOf, fault: HttpFault) -> None:
    stack = stack_of(ListedLog(simple(range(20))))
    stack.receiver.script.add(fault)
    assert stack.start("run", "--once", WEBHOOK_TIMEOUT="0.5").wait() == 0
    assert len(stack.receiver.journal) == len(stack.receiver.journal.maybe_delivered) == 20


def test_a_receiver_that_is_not_there_is_waited_for(stack_of: StackOf) -> None:
    stack = stack_of(ListedLog(simple(range(30))))
    port = stack.receiver.port
    run_on(stack.receiver, stack.receiver.stop())
    process = stack.start("run")
    process.wait_for_log("no connection")
    run_on(stack.receiver, stack.receiver.start(port=port))
    stack.wait_delivered(30)
    assert process.stop() == 0
    assert stack.receiver.journal.disorder() == []


def test_run_once_says_what_is_left_and_the_next_run_delivers_it(stack_of: StackOf) -> None:
    stack = stack_of(ListedLog(simple(range(12), users=12)))
    stack.receiver.script.add(faults.status(503), when=lambda call: call.user_id == "auth0|4")
    first = stack.start("run")
    stack.wait_delivered(11)
    assert first.stop() == 0
    process = stack.start("run", "--once", "--timeout", "2")
    assert process.wait() == 3
    assert "1 events are left in the log" in process.text
    stack.receiver.script.clear()
    assert stack.start("run", "--once").wait() == 0
    assert len(stack.receiver.journal.delivered) == 12
