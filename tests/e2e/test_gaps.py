"""Auth0 has removed what was not read: what ON_GAP does then, and what an operator sees of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from jsonschema import validate

from simulator.tenant_log import TenantLog
from tests.e2e.stack import Process, Stack
from tests.support.listed_log import ListedLog
from tests.support.schemas import GAPS
from tests.support.transports import Log

StackOf = Callable[[TenantLog], Stack]

HOUR = 3600.0
LINE = "gap: Auth0 has removed entries that were not read, or may have"


def log_id(hours_ago: int) -> str:
    return f"900{datetime.fromtimestamp(NOW - hours_ago * HOUR, UTC):%Y%m%d%H%M%S}{0:039}"


def entry(hours_ago: int) -> bytes:
    date = datetime.fromtimestamp(NOW - hours_ago * HOUR, UTC).isoformat()
    return json.dumps({"log_id": log_id(hours_ago), "type": "s", "date": date, "user_id": "auth0|1"}).encode()


NOW = time.time()


@pytest.fixture
def stack(stack_of: StackOf) -> Stack:
    """Entries of 60 to 50 hours ago are read; then Auth0 has only those of 20 hours ago and younger."""
    tenant = ListedLog(map(entry, range(60, 49, -1)))
    stack = stack_of(tenant)
    ends(stack.start("run", "--once"))
    tenant.forget(11)
    for hours in range(20, 0, -1):
        tenant.append(entry(hours))
    return stack


def ends(process: Process, code: int = 0) -> str:
    assert process.wait(60) == code, process.text
    assert "Traceback" not in process.text
    return process.text


def delivered(stack: Stack) -> list[str]:
    return sorted(stack.receiver.journal.delivered)


def gaps(stack: Stack) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(ends(stack.start("gaps", "list", "--json", VERBOSITY="error")))
    validate(found, GAPS)
    return found


def test_a_gap_is_told_and_on_record_and_what_is_left_is_delivered_once(stack: Stack, log: Log) -> None:
    text = ends(stack.start("run", "--once"))
    assert text.count(LINE) == 1
    assert delivered(stack) == sorted([log_id(hours) for hours in (*range(60, 49, -1), *range(20, 0, -1))])
    assert not stack.receiver.journal.duplicates
    (gap,) = gaps(stack)
    assert (gap["before"], gap["after"], gap["policy"]) == (log_id(50), log_id(20), "continue")
    assert str(gap["by"]).count(":") == 2
    shown = ends(stack.start("gaps", "show", "after-900"))
    assert f"after-{log_id(50)}: entries may be lost, of up to 1 d, after" in shown
    assert "1 gap on record" in ends(stack.start("checkpoint", "show"))
    assert "entries may be lost" in ends(stack.start("gaps", "list"))
    assert json.loads(ends(stack.start("status", "--json", VERBOSITY="error")))["gaps"] == 1
    assert LINE not in ends(stack.start("run", "--once"))


@pytest.mark.parametrize("log", ["sqlite"], indirect=True)  # the poller decides, whatever the log is
def test_on_gap_stop_ends_each_start_until_one_of_the_two_ways_on_is_taken(stack: Stack) -> None:
    for _ in range(2):
        text = ends(stack.start("run", "--once", ON_GAP="stop"), 3)
        assert "ON_GAP=stop: nothing was passed over" in text
        assert "`auth0-webhooks checkpoint set DATE --yes`" in text
        assert "or set ON_GAP=continue" in text
    assert len(delivered(stack)) == 11
    assert [gap["policy"] for gap in gaps(stack)] == ["stop"]
    date = datetime.fromtimestamp(NOW - 5.5 * HOUR, UTC).isoformat()
    ends(stack.start("checkpoint", "set", date, "--yes"))
    ends(stack.start("run", "--once", ON_GAP="stop"))
    assert len(delivered(stack)) == 16


@pytest.mark.parametrize("log", ["sqlite"], indirect=True)
def test_there_is_no_gap_yet_and_an_id_that_is_none_is_refused(stack_of: StackOf) -> None:
    stack = stack_of(ListedLog([entry(1)]))
    ends(stack.start("run", "--once"))
    assert "No gap is on record." in ends(stack.start("gaps", "list"))
    assert "there is no gap 'x'" in ends(stack.start("gaps", "show", "x"), 2)
