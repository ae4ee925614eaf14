"""What our own client does beyond what any client would: each of these is a decision."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from consumer.http import connection
from consumer.http.client import HttpWebhook
from simulator import faults, faults_floods
from simulator.http import Exchange
from simulator.receiver import Receiver
from simulator.wire import Answer, encode_head
from tests.integration.webhook.caller import Caller, delivery
from tests.integration.webhook.certificates import Certificates
from tests.integration.webhook.raw import raw_server

BIG = b"x" * 16_000_000  # more than the buffers between us and a receiver that does not read


@pytest.fixture
def make() -> Callable[..., HttpWebhook]:
    """Only ours."""
    return HttpWebhook


@pytest.fixture
async def plain_caller(plain_receiver: Receiver) -> AsyncIterator[Caller]:
    async with Caller(HttpWebhook(url=plain_receiver.url, headers={}, timeout=10, connect_timeout=5)) as caller:
        yield caller
    await caller.no_connections_left(plain_receiver)


# -- the request


async def test_every_call_says_which_event_and_which_attempt(caller: Caller, receiver: Receiver) -> None:
    await caller.call("900", attempt=1)
    await caller.call("901", attempt=12)
    assert [(call.call.webhook_id, call.call.attempt) for call in receiver.journal.all] == [("900", "1"), ("901", "12")]


async def test_headers_are_latin_1(plain_receiver: Receiver) -> None:
    headers = {"Authorization": "Bearer \xe4%s", "Accept": "application/json"}
    async with Caller(HttpWebhook(url=plain_receiver.url, headers=headers, timeout=10, connect_timeout=5)) as caller:
        assert (await caller.call()).delivered
    sent = dict(plain_receiver.journal.all[0].headers)
    assert (sent["authorization"], sent["accept"]) == ("Bearer \xe4%s", "application/json")


@pytest.mark.parametrize("log_id", ["900\r\nX: y", "900\n", "\x00", "900\x7f", "é"])
async def test_a_log_id_cannot_smuggle_a_header(plain_caller: Caller, plain_receiver: Receiver, log_id: str) -> None:
    assert (await plain_caller.call(log_id)).problem == "its log id cannot stand in a header"
    cancelled = delivery(log_id)
    result = plain_caller.start(cancelled)
    plain_caller.webhook.cancel(cancelled)
    assert (await plain_caller.call()).delivered
    assert not result.done()
    assert len(plain_receiver.journal) == 1


@pytest.mark.parametrize("headers", [{"X": "a\r\nb"}, {"X\n": "a"}, {"X": "\x00"}])
async def test_a_header_is_one_line(headers: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="control character"):
        HttpWebhook(url="http://localhost", headers=headers, timeout=1, connect_timeout=1)


@pytest.mark.parametrize("name", ["Host", "content-length", "Transfer-Encoding", "Webhook-Id"])
async def test_some_headers_are_not_free_to_choose(name: str) -> None:
    with pytest.raises(ValueError, match="not free to choose"):
        HttpWebhook(url="http://localhost", headers={name: "1"}, timeout=1, connect_timeout=1)


async def test_closing_ends_a_call_that_was_never_sent(plain_receiver: Receiver) -> None:
    async with Caller(HttpWebhook(url=plain_receiver.url, headers={}, timeout=1, connect_timeout=1)) as caller:
        result = caller.start(delivery("\n"))
    await asyncio.sleep(0)
    assert not result.done()


# -- the answer


async def test_a_delivered_event_does_not_wait_for_a_slow_body(plain_caller: Caller, plain_receiver: Receiver) -> None:
    plain_receiver.script.in_order(faults_floods.drip_body(0.1), faults.hang_after_headers())
    begun = time.monotonic()
    assert [attempt.status for attempt in await plain_caller.calls(2)] == [200, 200]
    assert 0.9 < time.monotonic() - begun < 2
    await plain_caller.no_connections_left(plain_receiver)


async def test_a_body_that_comes_a_little_later_costs_no_connection(plain_caller: Caller, plain_receiver: Receiver) -> None:
    async def play(exchange: Exchange, answer: Answer) -> None:
        exchange.send(encode_head(answer))
        await asyncio.sleep(0.03)
        exchange.send(answer.body)
        exchange.answered = True

    plain_receiver.script.add(faults.Fault(name="two pieces", play=play))
    assert (await plain_caller.call()).delivered
    [first] = plain_receiver.connections
    assert all([(await plain_caller.call()).delivered for _ in range(5)])
    assert plain_receiver.connections == {first}


@pytest.mark.parametrize("status", [200, 413])
async def test_an_answer_before_the_request_was_sent_ends_the_connection(
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
    async with raw_server(play, tls=server) as address:
        webhook = HttpWebhook(
            url=f"{scheme}://{address}", headers={}, timeout=10, connect_timeout=5, tls=certificates.usual_client
        )
        async with Caller(webhook) as caller:
            assert (await caller.call(body=BIG)).status == status
            await asyncio.wait_for(ended.wait(), 5)


async def test_a_receiver_that_speaks_first_has_not_answered() -> None:
    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.6\r\n")
        await reader.read()

    async with (
        raw_server(play) as address,
        Caller(HttpWebhook(url=f"http://{address}", headers={}, timeout=10, connect_timeout=5)) as caller,
    ):
        problems = {(await caller.call()).problem for _ in range(10)}
    # Which one depends on whether its word is quicker than our request.
    assert problems <= {
        "the connection was closed before an answer",
        "no valid HTTP answer: Expected HTTP/, RTSP/ or ICE/",
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
    "too long": ("9" * 5000, None),
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


# -- connections between calls


async def test_a_connection_that_died_while_idle_costs_no_attempt(
    caller: Caller, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "STALE", 0.05)
    await caller.call("warm")
    await asyncio.sleep(0.06)
    receiver.script.in_order(faults.close())
    assert (await caller.call("901", attempt=3)).delivered
    assert [(call.call.webhook_id, call.call.attempt, call.verdict) for call in receiver.journal.all[1:]] == [
        ("901", "3", "close"),
        ("901", "3", "ok"),
    ]


async def test_there_is_one_second_try(caller: Caller, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "STALE", 0.05)
    await caller.call("warm")
    await asyncio.sleep(0.06)
    receiver.script.add(faults.reset_before_headers())
    assert (await caller.call("901")).problem.startswith("the connection ")
    assert len(receiver.journal) == 3


async def test_a_second_try_has_the_deadline_of_the_first(plain_receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "STALE", 0.05)
    async with Caller(HttpWebhook(url=plain_receiver.url, headers={}, timeout=0.4, connect_timeout=5)) as caller:
        await caller.call("warm")
        await asyncio.sleep(0.06)
        plain_receiver.script.in_order(faults.hang_before_headers(0.2), faults.hang_before_headers())
        begun = time.monotonic()
        assert (await caller.call("901")).problem == "no answer within 0.4 s"
        assert 0.35 < time.monotonic() - begun < 0.55


async def test_a_second_try_can_be_broken_off(
    plain_caller: Caller, plain_receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "STALE", 0.05)
    await plain_caller.call("warm")
    await asyncio.sleep(0.06)
    plain_receiver.script.in_order(faults.close(), faults.hang_before_headers())
    one = delivery("901")
    result = plain_caller.start(one)
    await plain_receiver.journal.wait_until(lambda journal: len(journal) == 3, timeout=5)
    plain_caller.webhook.cancel(one)
    await plain_caller.no_connections_left(plain_receiver)
    assert not result.done()


@pytest.mark.parametrize("warm", [False, True])
async def test_a_receiver_that_dies_over_a_request_gets_no_second_one_at_once(
    plain_caller: Caller, plain_receiver: Receiver, warm: bool
) -> None:
    """Only a connection that has been idle for a second was probably dead before."""
    if warm:
        await plain_caller.call("warm")
    plain_receiver.script.in_order(faults.close())
    assert (await plain_caller.call("901")).problem == "the connection was closed before an answer"
    assert len(plain_receiver.journal) == 1 + warm


async def test_idle_connections_close_after_a_while(caller: Caller, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "IDLE_LIMIT", 0.1)
    await caller.calls(5)
    assert len(receiver.connections) == 5
    for _ in range(5):
        await asyncio.sleep(0.05)
        await caller.call()
    assert len(receiver.connections) == 1
    await caller.no_connections_left(receiver)


async def test_a_receiver_that_restarts_is_found_again(caller: Caller, receiver: Receiver) -> None:
    await caller.calls(5)
    await receiver.stop()
    assert not any(attempt.delivered for attempt in await caller.calls(5))
    assert (await caller.call()).problem == "no connection: Connection refused"
    await receiver.start(port=receiver.port)
    assert all(attempt.delivered for attempt in await caller.calls(5))


# -- addresses


async def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    """`localhost` is ::1 and 127.0.0.1 on most machines, and the receiver listens on one of them only."""
    for host in ("127.0.0.1", "::1"):
        receiver = Receiver()
        await receiver.start(host)
        url = f"http://localhost:{receiver.port}"
        async with Caller(HttpWebhook(url=url, headers={}, timeout=5, connect_timeout=5)) as caller:
            attempt = await caller.call()
        assert attempt.delivered or host == "::1"  # a machine whose localhost is IPv4 alone
        await receiver.stop()


REFUSED = [
    "http://169.254.169.254/latest/meta-data",
    "https://169.254.1.1",
    "http://[fe80::1]",
    "http://[fd00:ec2::254]",
    "http://[::ffff:169.254.169.254]",
    "http://[64:ff9b::a9fe:a9fe]",
    "http://[2002:a9fe:a9fe::]",
    "http://100.100.100.200",
    "http://2852039166",  # not a usual form of an address, but what resolvers make of it counts
]


@pytest.mark.parametrize("url", REFUSED)
async def test_metadata_addresses_are_never_called(url: str) -> None:
    async with Caller(HttpWebhook(url=url, headers={}, timeout=5, connect_timeout=5)) as caller:
        attempt = await caller.call()
    assert attempt.problem.startswith("refused by us: ")
    assert attempt.problem.endswith(" is a link-local or cloud-metadata address")


async def test_private_addresses_can_be_refused_too(plain_receiver: Receiver) -> None:
    url = f"http://localhost:{plain_receiver.port}"
    async with Caller(HttpWebhook(url=url, headers={}, timeout=5, connect_timeout=5)) as caller:
        assert (await caller.call()).delivered
    async with Caller(HttpWebhook(url=url, headers={}, timeout=5, connect_timeout=5, allow_private=False)) as caller:
        assert "is not a public address" in (await caller.call()).problem
    assert len(plain_receiver.journal) == 1
