"""An Auth0 that rejects, is away, or sends nonsense: what the operator reads, and that nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from simulator.tenant_log import TenantLog
from tests.e2e.stack import SECRET, Process, Stack, simple
from tests.support import faults, tenant_faults
from tests.support.background import run_on
from tests.support.listed_log import ListedLog

StackOf = Callable[[TenantLog], Stack]

#: One adapter is enough: what Auth0 does is the same for both.
on_sqlite = pytest.mark.parametrize("log", ["sqlite"], indirect=True)
SCOPE = "Applications → APIs → Auth0 Management API → Machine to Machine Applications"


def lines(process: Process, level: str) -> list[str]:
    """The events of our own log at this level."""
    logged = [json.loads(line) for line in process.text.splitlines() if line.startswith("{")]
    return [line["event"] for line in logged if line["level"] == level]


@pytest.mark.parametrize(
    ("log", "change", "once", "words"),
    [
        ("sqlite", {"client_secret": "rotated"}, False, "AUTH0_CLIENT_ID or AUTH0_CLIENT_SECRET is wrong"),
        ("kafka", {"client_secret": "rotated"}, False, "AUTH0_CLIENT_ID or AUTH0_CLIENT_SECRET is wrong"),
        ("sqlite", {"authorised": False}, True, SCOPE),
        ("sqlite", {"scope": "read:users"}, True, "lacks the scope read:logs"),
    ],
    ids=["secret", "secret, Kafka", "not authorised", "scope"],
    indirect=["log"],
)
def test_what_has_to_be_done_in_the_dashboard_is_one_line(
    stack_of: StackOf, change: dict[str, object], *, once: bool, words: str
) -> None:
    stack = stack_of(ListedLog(simple(range(5))))
    tokens = stack.tenant.tokens
    tokens.application = replace(tokens.application, **change)  # type: ignore[arg-type]
    process = stack.start("run", *["--once"] * once, VERBOSITY="warning")
    assert process.wait() == 3
    (line,) = lines(process, "error")
    assert words in line
    assert SECRET not in process.text
    assert len(stack.receiver.journal) == 0


@on_sqlite
def test_a_tenant_that_is_not_there_yet_is_waited_for(stack_of: StackOf) -> None:
    stack = stack_of(ListedLog(simple(range(30))))
    port = stack.tenant.port
    run_on(stack.tenant, stack.tenant.stop())
    process = stack.start("run")
    process.wait_for_log("no response from http://127.0.0.1")
    run_on(stack.tenant, stack.tenant.start(port=port))
    stack.wait_delivered(30)
    assert process.stop() == 0
    assert set(lines(process, "error")) == {"polling failed, the checkpoint stays"}
    assert "Traceback" not in process.text


@on_sqlite
def test_run_once_gives_up_on_a_tenant_that_is_not_there(stack_of: StackOf) -> None:
    stack = stack_of(ListedLog(simple(range(30))))
    run_on(stack.tenant, stack.tenant.stop())
    process = stack.start("run", "--once", "--timeout", "6")
    assert process.wait(60) == 3
    assert "Auth0's log was not read to its end" in process.text
    assert "Traceback" not in process.text
    polls = [line for line in lines(process, "error") if line.startswith("polling failed")]
    assert 2 <= len(polls) <= 5  # at once, then after pauses that double: half a second to a second, one to two, two to four


@on_sqlite
def test_bad_pages_are_named_and_asked_for_again_at_leisure(stack_of: StackOf) -> None:
    stack = stack_of(ListedLog(simple(range(250))))
    stack.tenant.faults.in_order(None, None, tenant_faults.html(), tenant_faults.without_id())
    process = stack.start("run")
    process.wait_for_log("an HTML page (a proxy or a login page in between?)")
    process.wait_for_log("entry 0 of the page has no usable log_id or _id")
    assert stack.tenant.count("/api/v2/logs") == 4
    stack.wait_delivered(250)
    assert process.stop() == 0
    assert stack.tenant.count("/oauth/token") == 1
    assert lines(process, "error") == ["polling failed, the checkpoint stays"] * 2
    assert stack.receiver.journal.disorder() == []
    assert stack.receiver.journal.duplicates == ()


@on_sqlite
def test_a_secret_that_is_rotated_stops_no_delivery(stack_of: StackOf) -> None:
    """What was fetched before goes on to the webhook; what comes later is fetched once Auth0 accepts the secret again."""
    log = ListedLog(simple(range(200)))
    stack = stack_of(log)
    known = stack.tenant.tokens.application
    stack.receiver.latency = 0.01
    process = stack.start("run", WEBHOOK_CONCURRENT_CALLS="2")
    process.wait_for_log("page published")
    stack.tenant.tokens.application = replace(known, client_secret="another")
    stack.tenant.tokens.revoke()
    process.wait_for_log("AUTH0_CLIENT_SECRET is wrong")
    stack.tenant.tokens.application = known
    log.append(simple([200])[0])
    stack.wait_delivered(201)
    assert process.stop() == 0
    assert SECRET not in process.text


@on_sqlite
def test_a_stop_does_not_wait_for_an_auth0_that_hangs(stack_of: StackOf) -> None:
    stack = stack_of(ListedLog(simple(range(5))))
    stack.tenant.faults.in_order(None, faults.hang_before_headers())
    process = stack.start("run")
    stack.wait_delivered(1)
    assert process.stop(within=3) == 0
