"""`trigger` as a process: what a person sees, and the exit code."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable

import pytest

from simulator import faults
from tests.e2e.stack import Stack
from tests.support import faults as bad_faults
from tests.support import faults_floods, faults_malformed

StackWith = Callable[[int], Stack]


def test_a_delivered_event_ends_with_0_and_shows_the_response(stack_with: StackWith) -> None:
    stack = stack_with(0)
    stack.receiver.script.add(faults.status(200, body=b"thanks \x1b[2J\xff", headers=(("X-Request-Id", "r1"),)))
    process = stack.start("trigger", "fp", "--user", "auth0|me", AUTH0_CLIENT_SECRET="", AUTH0_DOMAIN="", SQLITE_PATH="")
    assert process.wait() == 0, process.text
    assert "200 OK, delivered, " in process.text
    assert "  X-Request-Id: r1\n" in process.text
    assert "thanks \\x1b[2J\\xff" in process.text
    (entry,) = stack.receiver.journal.all
    assert (entry.call.type, entry.call.user_id) == ("fp", "auth0|me")
    assert f"webhook-id: {entry.call.webhook_id}" in process.text


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (faults.status(401, body=b"canary-token"), "not delivered: answered 401; the webhook refuses our credentials"),
        (bad_faults.redirect("/elsewhere"), "not delivered: answered 302; redirects are not followed"),
        (bad_faults.hang_before_headers(), "not delivered: no response within 0.5 s"),
        (faults_malformed.garbage(), "not delivered: no valid HTTP response"),
        (faults_floods.header_flood(), "not delivered: no valid HTTP response: more than 64 KiB of head"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_an_event_that_is_not_delivered_ends_with_3_and_one_line(
    stack_with: StackWith, fault: faults.HttpFault, said: str
) -> None:
    stack = stack_with(0)
    stack.receiver.script.add(fault)
    process = stack.start("trigger", "fp", WEBHOOK_TIMEOUT="0.5", WEBHOOK_CONNECT_TIMEOUT="0.5", AUTHORIZATION="canary-token")
    assert process.wait() == 3
    assert f"error: {said}" in process.text
    assert "Traceback" not in process.text
    assert "canary" not in process.text


def test_of_a_body_of_100_mb_the_beginning_is_shown(stack_with: StackWith) -> None:
    stack = stack_with(0)
    stack.receiver.script.add(faults_floods.huge_body(100_000_000))
    process = stack.start("trigger", "fp")
    assert process.wait() == 0
    assert len(process.text) < 4000
    assert "(the rest of the body is not shown)" in process.text


@pytest.mark.parametrize(
    ("url", "code", "said"),
    [
        ("http://127.0.0.1:9/", 3, "nothing listens there: look at host and port of WEBHOOK_URL"),
        ("http://no-such-host.invalid/", 3, "look at the host of WEBHOOK_URL"),
        ("example.com/hook", 2, "has no scheme; put https:// in front of it"),
        ("https://<your host>/", 2, "has a placeholder"),
        ("", 2, "WEBHOOK_URL is not set"),
    ],
)
def test_a_url_that_leads_nowhere_is_named(stack_with: StackWith, url: str, code: int, said: str) -> None:
    process = stack_with(0).start("trigger", "s", WEBHOOK_URL=url)
    assert process.wait() == code
    assert said in process.text
    assert process.text.count("error:") == 1


def test_print_needs_no_setting_and_sends_nothing(stack_with: StackWith) -> None:
    stack = stack_with(0)
    process = stack.start("trigger", "limit_wc", "--print", "--user", os.fsdecode(b"\xff\n\"\\'"), WEBHOOK_URL="")
    assert process.wait() == 0
    event = json.loads(process.text)
    assert (event["type"], event["user_id"]) == ("limit_wc", "\\udcff\n\"\\'")
    assert not stack.receiver.journal.all


def test_a_type_that_is_none_gets_a_suggestion(stack_with: StackWith) -> None:
    process = stack_with(0).start("trigger", "limit_wx")
    assert process.wait() == 2
    assert "did you mean limit_wc?" in process.text


def test_ctrl_c_while_the_webhook_does_not_respond_ends_with_130(stack_with: StackWith) -> None:
    stack = stack_with(0)
    stack.receiver.script.add(bad_faults.hang_before_headers())
    process = stack.start("trigger", "s")
    stack.until(lambda: stack.receiver.open_calls.now == 1)
    assert process.stop(signal.SIGINT) == 130
    assert "stopped before there was a response" in process.text
    assert "Traceback" not in process.text


def test_a_name_that_is_no_setting_is_noted(stack_with: StackWith) -> None:
    process = stack_with(0).start("trigger", "s", WEBHOOK_AUTHORIZATION="Bearer canary")
    assert process.wait() == 0
    assert "note: ignored, because this program has no such setting: WEBHOOK_AUTHORIZATION (environment)" in process.text
