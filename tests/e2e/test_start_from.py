"""Where a poller begins, and how an operator moves it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from simulator.faults import HttpFault
from simulator.http import Exchange
from simulator.tenant_log import TenantLog
from simulator.wire import HttpResponse
from tests.e2e.stack import Process, Stack
from tests.support.listed_log import ListedLog

StackOf = Callable[[TenantLog], Stack]

BEGIN = datetime(2026, 11, 20, tzinfo=UTC)
HOURS = 30


def log_id(hour: int) -> str:
    return f"900{BEGIN + timedelta(hours=hour):%Y%m%d%H%M%S}{hour:039}"


def entry(hour: int) -> bytes:
    date = BEGIN + timedelta(hours=hour)
    return json.dumps({"log_id": log_id(hour), "type": "s", "date": date.isoformat(), "user_id": f"auth0|{hour % 5}"}).encode()


@pytest.fixture
def stack(stack_of: StackOf) -> Stack:
    """An event each hour, for thirty hours."""
    return stack_of(ListedLog(map(entry, range(HOURS))))


def ends(process: Process, code: int = 0) -> str:
    assert process.wait(60) == code, process.text
    assert "Traceback" not in process.text
    return process.text


def delivered(stack: Stack) -> list[str]:
    return list(stack.receiver.journal.delivered)


STARTS = [
    ("beginning", 0),
    ("2026-11-21", 24),
    ("2026-11-20T22:30Z", 23),
    ("2026-11-21T03:00+02:00", 25),
    ("2020-01-01", 0),
    (log_id(27), 28),
]
#: What it says is asked from Auth0, and the log is not asked: on Kafka a date and an id stand for all.
CASES = [*(("sqlite", *case) for case in STARTS), ("kafka", *STARTS[1]), ("kafka", *STARTS[5])]


@pytest.mark.parametrize(("log", "start", "first"), CASES, indirect=["log"])
def test_the_first_event_is_the_one_that_was_asked_for(stack: Stack, start: str, first: int) -> None:
    ends(stack.start("run", "--once", START_FROM=start))
    assert sorted(delivered(stack)) == [log_id(hour) for hour in range(first, HOURS)]


def test_now_is_the_moment_of_the_first_start(stack: Stack) -> None:
    ends(stack.start("run", "--once", START_FROM="now"))
    assert delivered(stack) == []
    stack.tenant.log.append(entry(HOURS))  # type: ignore[attr-defined]
    again = ends(stack.start("run", "--once", START_FROM="now"))
    assert delivered(stack) == [log_id(HOURS)]
    assert "START_FROM is ignored" in again


def test_in_an_empty_tenant_everything_that_comes_is_new(stack_of: StackOf) -> None:
    stack = stack_of(ListedLog())
    ends(stack.start("run", "--once", START_FROM="now"))
    stack.tenant.log.append(entry(0))  # type: ignore[attr-defined]
    ends(stack.start("run", "--once", START_FROM="now"))
    assert delivered(stack) == [log_id(0)]


def test_an_id_of_another_tenant_ends_the_start_with_the_ways_on(stack: Stack) -> None:
    text = ends(stack.start("run", "--once", START_FROM="9" * 56), 3)
    assert "it is another tenant's, or past the time that Auth0 keeps entries. Begin at a date" in text
    assert delivered(stack) == []


def test_a_move_is_shown_first_and_done_with_yes(stack: Stack) -> None:
    ends(stack.start("run", "--once"))
    shown = ends(stack.start("checkpoint", "set", "2026-11-20T20:00Z"))
    assert f"From  {log_id(29)}" in shown
    assert f"To    {log_id(19)}" in shown
    assert "10 entries lie between: delivered again where they pass the filter." in shown
    assert "Nothing was changed: add --yes to do it." in shown
    assert json.loads(ends(stack.start("checkpoint", "show", "--json", VERBOSITY="error")))["log_id"] == log_id(29)
    assert f"The checkpoint is {log_id(19)}" in ends(stack.start("checkpoint", "set", "2026-11-20T20:00Z", "--yes"))
    assert json.loads(ends(stack.start("checkpoint", "show", "--json", VERBOSITY="error")))["log_id"] == log_id(19)
    forward = ends(stack.start("checkpoint", "set", log_id(24), "--yes"))
    assert "5 entries lie between: not delivered any more." in forward
    ends(stack.start("run", "--once"))
    assert set(delivered(stack)) == {log_id(hour) for hour in range(HOURS)}


def test_a_move_to_where_it_is_lies_nothing_between(stack: Stack) -> None:
    ends(stack.start("run", "--once"))
    assert "0 entries lie between." in ends(stack.start("checkpoint", "set", "now"))


def test_a_move_that_another_operator_has_overtaken_is_refused(stack: Stack) -> None:
    """What it said about what comes again or is passed over would not be true any more."""
    ends(stack.start("run", "--once"))
    overtaken = threading.Event()

    async def wait(exchange: Exchange, response: HttpResponse) -> None:
        await asyncio.to_thread(overtaken.wait, 60)
        exchange.respond(response)

    stack.tenant.faults.add(HttpFault(name="held", play=wait), times=1)
    asked = len(stack.tenant.requests)
    slow = stack.start("checkpoint", "set", "2026-11-20T20:00Z", "--yes")
    stack.until(lambda: len(stack.tenant.requests) > asked + 1)
    ends(stack.start("checkpoint", "set", log_id(9), "--yes"))
    overtaken.set()
    assert f"the checkpoint was moved meanwhile, to {log_id(9)}" in " ".join(ends(slow, 3).split())
    assert json.loads(ends(stack.start("checkpoint", "show", "--json", VERBOSITY="error")))["log_id"] == log_id(9)


def test_a_move_is_refused_while_a_poller_is_active_unless_forced(stack: Stack) -> None:
    poller = stack.start("produce")
    stack.until(lambda: "page published" in poller.text)
    assert "poller" in ends(stack.start("checkpoint", "set", "2026-11-21", "--yes"), 3)
    assert "poller" in ends(stack.start("checkpoint", "set", "2026-11-21"), 3)
    assert "poller" in ends(stack.start("checkpoint", "reset", "--yes"), 3)
    assert "The checkpoint is" in ends(stack.start("checkpoint", "set", "2026-11-21", "--yes", "--force"))
    assert poller.stop() == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["set", "yesterday"], "must be beginning, now, a log id, or a date such as 2026-11-20"),
        (["set", "beginning"], "has a command of its own; `auth0-webhooks checkpoint reset`"),
        (["set", "2999-01-01"], "lies in the future"),
        (["set", "2026-11-20T08:00"], "has no time zone"),
        (["set"], "say where to"),
        (["set", "now", "--from-topic"], "say where to"),
    ],
)
def test_a_place_that_is_none_is_refused(stack: Stack, arguments: list[str], said: str) -> None:
    assert said in " ".join(ends(stack.start("checkpoint", *arguments), 2).split())


def test_a_move_to_an_entry_that_auth0_does_not_know_changes_nothing(stack: Stack) -> None:
    ends(stack.start("run", "--once"))
    assert "has no entry" in ends(stack.start("checkpoint", "set", "9" * 56, "--yes"), 3)
    assert json.loads(ends(stack.start("checkpoint", "show", "--json", VERBOSITY="error")))["log_id"] == log_id(29)
