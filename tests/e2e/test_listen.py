"""`listen` as a workbench: what it prints of a call, and how it responds."""

from __future__ import annotations

import json
import re
import signal
import socket
import time
import urllib.request
from collections.abc import Callable, Mapping
from urllib.error import HTTPError

import pytest

from consumer.signing import Signing
from tests.e2e.stack import Process, Stack
from tests.unit.simulator.test_verification import OTHER, SECRET

StackWith = Callable[[int], Stack]
EVENT = b'{"log_id":"900","type":"fp","date":"2026-11-20T10:11:12.000Z","user_id":"auth0|me"}'


def _listening(stack: Stack, *options: str) -> tuple[Process, str]:
    process = stack.start("listen", "--port", "0", *options)
    process.wait_for_log("WEBHOOK_URL=")
    return process, re.findall(r"export WEBHOOK_URL=(\S+)", process.text)[0]


def _post(url: str, body: bytes = EVENT, headers: Mapping[str, str] | None = None) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=body, headers=dict(headers or {})), timeout=30) as response:
            return int(response.status)
    except HTTPError as error:
        return error.code


def _signed(secret: str, *, at: float | None = None) -> dict[str, str]:
    lines = Signing([secret], clock=lambda: time.time() if at is None else at)(b"900", EVENT).decode().split("\r\n")
    return {"webhook-id": "900", **dict(line.split(": ", 1) for line in lines if line)}


def test_the_greeting_can_be_pasted_and_each_event_is_a_line(stack_with: StackWith) -> None:
    process, url = _listening(stack_with(0))
    assert [_post(url), _post(url)] == [200, 200]
    assert process.stop(signal.SIGINT) == 0
    lines = process.text.splitlines()
    assert lines[0] == "listening; paste this where auth0-webhooks runs:"
    assert lines[1] == f"  export WEBHOOK_URL={url}"
    assert re.fullmatch(r"200  10:11:12  error    fp +Failed Login \(Incorrect Password\) +auth0\|me", lines[2])
    assert lines[3] == f"{lines[2]}  again"
    assert lines[4] == "2 calls, 1 events got a 200, 1 of the calls again"


def test_an_address_that_cannot_be_had_is_said_once(stack_with: StackWith) -> None:
    stack = stack_with(0)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        process = stack.start("listen", "--port", str(port))
        assert process.wait() == 3
    assert f"cannot listen on 127.0.0.1:{port}: address already in use. Choose another with --port" in process.text
    process = stack.start("listen", "--host", "é" * 100)
    assert process.wait() == 3
    assert "no such address. Choose another" in process.text


def test_the_product_s_own_calls_are_signed_and_valid(stack_with: StackWith) -> None:
    stack = stack_with(3)
    process, url = _listening(stack, "--secret", SECRET)
    assert f"  export WEBHOOK_SECRET={SECRET}\n" in process.text
    assert stack.start("run", "--once", WEBHOOK_URL=url, WEBHOOK_SECRET=SECRET).wait() == 0
    assert stack.start("trigger", "s", WEBHOOK_URL=url, WEBHOOK_SECRET=SECRET, SEND_AS_BATCH="true").wait() == 0
    assert process.stop() == 0
    assert [line.endswith("  signature valid") for line in process.text.splitlines() if line.startswith("200")] == [True] * 4


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({}, "signature invalid: missing: webhook-id, webhook-timestamp, webhook-signature"),
        (_signed(OTHER), "signature invalid: wrong secret, or the body was changed on the way"),
        (_signed(SECRET, at=1e9), "signature invalid: too old: made "),
    ],
)
def test_an_invalid_signature_is_named_with_the_reason(stack_with: StackWith, headers: dict[str, str], said: str) -> None:
    process, url = _listening(stack_with(0), "--secret", SECRET)
    assert _post(url, headers=headers) == 200, "it says so, and responds as without --secret"
    assert process.stop() == 0
    assert said in process.text


def test_headers_and_the_event_are_shown_where_that_is_asked_for(stack_with: StackWith) -> None:
    process, url = _listening(stack_with(0), "--headers", "--pretty")
    _post(f"{url}a?b", headers={"X-Api-Key": "key \x9b31m"})
    assert process.stop() == 0
    assert "  POST /a\n" in process.text
    assert "  x-api-key: key \\x9b31m\n" in process.text
    assert '{\n  "log_id": "900",\n  "type": "fp",' in process.text


@pytest.mark.parametrize("form", ["true", "lines"])
def test_each_event_of_a_batch_is_a_line(stack_with: StackWith, form: str) -> None:
    stack = stack_with(5)
    process, url = _listening(stack)
    assert stack.start("run", "--once", WEBHOOK_URL=url, SEND_AS_BATCH=form).wait() == 0
    assert process.stop() == 0
    assert sum(" s " in line for line in process.text.splitlines() if line.startswith("200")) == 5


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("--status 503", [503, 503, 503]),
        ("--status 202", [202, 202, 202]),
        ("--fail-first 2", [503, 503, 200]),
        ("--fail-first 2 --status 429", [429, 429, 200]),
        ("--fail-first 1 --status 204", [503, 204, 204]),
        ("--fail-first 0 --latency 0.01", [200, 200, 200]),
    ],
)
def test_it_responds_as_asked(stack_with: StackWith, options: str, expected: list[int]) -> None:
    process, url = _listening(stack_with(0), *options.split())
    assert [_post(url) for _ in expected] == expected
    assert process.stop() == 0
    assert [line[:3] for line in process.text.splitlines() if " fp " in line] == list(map(str, expected))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--secret canary", "--secret is not base64"),
        ("--secret c2hvcnQ=", "--secret is 5 bytes long once decoded"),
        ("--json --pretty", "--json prints bodies and nothing else"),
        ("--status 99", "--status '99': must be a whole number from 200 to 599"),
        ("--fail-first -1", "--fail-first '-1'"),
        ("--latency soon", "--latency 'soon'"),
    ],
)
def test_what_cannot_be_is_one_line(stack_with: StackWith, options: str, said: str) -> None:
    process = stack_with(0).start("listen", *options.split())
    assert process.wait() == 2
    assert process.text.startswith(f"error: {said}")
    assert process.text.count("\n") == 1
    assert "canary" not in process.text


def test_on_all_addresses_the_url_to_paste_is_one_that_can_be_called(stack_with: StackWith) -> None:
    process, url = _listening(stack_with(0), "--host", "0.0.0.0")
    assert url.startswith("http://127.0.0.1:")
    assert _post(url) == 200
    assert process.stop() == 0


@pytest.mark.parametrize("body", [b"", b"\xff\x00\x1b[2J", b"[" * 100_000, b'{"log_id":"\\ud83d"}', b"9" * 5000, b"{}\n{}"])
def test_any_body_is_shown_printable(stack_with: StackWith, body: bytes) -> None:
    process, url = _listening(stack_with(0), "--pretty", "--headers")
    assert _post(url, body) == 200
    assert process.stop() == 0
    assert process.text.replace("\n", "").isprintable()
    assert "Traceback" not in process.text


def test_what_is_no_http_does_not_end_it(stack_with: StackWith) -> None:
    process, url = _listening(stack_with(0))
    with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2].rstrip("/"))), timeout=30) as client:
        client.sendall(b"\x16\x03\x01\x02\x00" * 100)
        assert client.recv(100).startswith(b"HTTP/1.1 400 ")
    assert _post(url) == 200
    assert process.stop() == 0


def test_json_is_the_bodies_alone(stack_with: StackWith) -> None:
    process, url = _listening(stack_with(0), "--json")
    _post(url)
    assert process.stop() == 0
    assert json.loads(next(line for line in process.text.splitlines() if line.startswith("{"))) == json.loads(EVENT)
