"""What our own client does with a response, beyond what every client does."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from consumer.http import response
from simulator.http import Exchange
from simulator.receiver import Receiver
from simulator.wire import HttpResponse, encode_head
from tests.integration.webhook.caller import Caller
from tests.integration.webhook.certificates import Certificates
from tests.integration.webhook.servers import raw_server
from tests.support import faults, faults_floods

BIG = b"x" * 16_000_000  # more than the buffers between us and a receiver that does not read


async def test_a_delivered_event_does_not_wait_for_a_slow_body(plain_caller: Caller, plain_receiver: Receiver) -> None:
    plain_receiver.script.in_order(faults_floods.drip_body(0.1), faults.hang_after_headers())
    begun = time.monotonic()
    assert [attempt.status for attempt in await plain_caller.calls(2)] == [200, 200]
    # The rest of the body gets a second, also while it drips; without that limit both calls would last until their deadline.
    assert 0.9 < time.monotonic() - begun < 8
    await plain_caller.no_connections_left(plain_receiver)


async def test_a_body_that_comes_a_little_later_costs_no_connection(plain_caller: Caller, plain_receiver: Receiver) -> None:
    async def play(exchange: Exchange, usual: HttpResponse) -> None:
        exchange.send(encode_head(usual))
        await asyncio.sleep(0.03)
        exchange.send(usual.body)
        exchange.responded = True

    plain_receiver.script.add(faults.HttpFault(name="two pieces", play=play))
    assert (await plain_caller.call()).status == 200
    [first] = plain_receiver.connections
    assert all([(await plain_caller.call()).status == 200 for _ in range(5)])
    assert plain_receiver.connections == {first}


@pytest.mark.parametrize("status", [200, 413])
async def test_a_response_before_the_request_was_sent_ends_the_connection(
    certificates: Certificates, tls: bool, status: int
) -> None:
    ended = asyncio.Event()

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status)
        await asyncio.sleep(0.1)
        try:
            while await reader.read(65536):
                pass
        finally:  # some resets come as an error
            ended.set()

    scheme, server = ("https", certificates.usual_server) if tls else ("http", None)
    async with (
        raw_server(play, tls=server) as address,
        Caller(f"{scheme}://{address}", tls=certificates.usual_client) as caller,
    ):
        assert (await caller.call(body=BIG)).status == status
        await asyncio.wait_for(ended.wait(), 20)


async def test_a_receiver_that_speaks_first_has_not_responded() -> None:
    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.6\r\n")
        await reader.read()

    async with (
        raw_server(play) as address,
        Caller(f"http://{address}") as caller,
    ):
        problems = {(await caller.call()).problem for _ in range(10)}
    # Which one depends on whether its bytes or our request are first.
    assert problems <= {
        "the connection was closed before a response",
        "no valid HTTP response: Expected HTTP/, RTSP/ or ICE/",
    }


WAITS = {
    "seconds": ("120", 120),
    "none": ("0", 0),
    "a year": ("31536000", 31536000),
    "a date that is past": ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
    "garbage": ("soon", None),
    "empty": ("", None),
    "negative": ("-5", None),
    "a fraction": ("1.5", None),
    "more than can be meant": ("9" * 5000, 1e11),
    "a year that no calendar has": ("Wed, 21 Oct 99999999999999999999 07:28:00 GMT", None),
    "a day that no month has": ("Wed, 99999999999999999999 Oct 2015 07:28:00 GMT", None),
    "a zone that no place has": ("Wed, 21 Oct 2015 07:28:00 +99999999999999999999", None),
    "a zone beyond the calendar": ("Fri, 31 Dec 9999 23:59:59 -2359", None),
}


@pytest.mark.parametrize("kind", WAITS)
@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_is_passed_on(plain_caller: Caller, plain_receiver: Receiver, kind: str, status: int) -> None:
    value, seconds = WAITS[kind]
    plain_receiver.script.in_order(faults.status(status, headers=(("retry-AFTER", value),)))
    attempt = await plain_caller.call()
    assert (attempt.status, attempt.retry_after) == (status, seconds)
    assert (await plain_caller.call()).retry_after is None


async def test_retry_after_may_be_a_date(plain_caller: Caller, plain_receiver: Receiver) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    plain_receiver.script.in_order(faults.status(503, headers=(("Retry-After", date),)))
    assert (await plain_caller.call()).retry_after == pytest.approx(3600, abs=30)


@pytest.mark.parametrize("status", [429, 204])
async def test_whatever_reading_a_response_raises_is_a_failed_attempt_and_the_next_call_goes_on(
    plain_caller: Caller, plain_receiver: Receiver, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """An `OverflowError` over a far year ended the process, again after every restart."""

    def raising(_text: str, _now: float) -> float:
        raise OverflowError("int too large")

    monkeypatch.setattr(response, "retry_after", raising)
    plain_receiver.script.in_order(faults.status(status, headers=(("Retry-After", "5"),)))
    attempt = await plain_caller.call()
    assert (attempt.status, attempt.retry_after) == (status, None)
    assert attempt.summary == f"answered {status}, and reading its headers failed: OverflowError"
    assert (await plain_caller.call()).status == 200


async def test_whatever_the_parser_meets_in_our_callbacks_is_a_failed_attempt(
    plain_caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raising(_status: int) -> bool:
        raise OverflowError("int too large")

    with monkeypatch.context() as patched:
        patched.setattr(response, "_is_final", raising)
        attempt = await plain_caller.call()
    assert attempt.status is None
    assert attempt.problem.startswith("no valid HTTP response: ")
    assert (await plain_caller.call()).status == 200
