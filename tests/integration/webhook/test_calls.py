"""Calls of our client that succeed, and calls that are broken off."""

from __future__ import annotations

import asyncio
import socket

import pytest

from consumer.http import connection
from simulator.receiver import Receiver
from simulator.wire import HttpResponse
from tests.integration.webhook.caller import Caller, delivery
from tests.integration.webhook.certificates import Certificates
from tests.integration.webhook.servers import receiving
from tests.support import faults, faults_floods


async def test_the_body_arrives_byte_for_byte_with_its_id_and_the_headers(receiver: Receiver, certificates: Certificates) -> None:
    body = b'{ "log_id":"900", "half": "\\ud83d", "n":1.0000e5 }\r\n' + bytes(range(256))
    headers = {"Content-Type": "application/json", "Authorization": "Bearer 100%", "User-Agent": "us"}
    url = f"{receiver.url}/a%20b/%25?x=%7B1%7D&y=%"
    async with Caller(url, headers=headers, tls=certificates.usual_client) as caller:
        assert (await caller.call("900", body)).status == 200
    [call] = receiver.journal.all
    sent = dict(call.headers)
    assert call.body == body
    assert (call.call.method, call.call.path, call.call.webhook_id) == ("POST", "/a b/%", "900")
    assert (sent["content-type"], sent["authorization"], sent["user-agent"]) == ("application/json", "Bearer 100%", "us")
    assert sent["host"] == receiver.url.partition("://")[2]
    assert sent["content-length"] == str(len(body))


async def test_a_large_body_arrives(caller: Caller, receiver: Receiver) -> None:
    assert (await caller.call("900", b"x" * 1_000_000)).status == 200
    assert receiver.journal.all[0].call.length == 1_000_000


async def test_connections_are_used_again(caller: Caller, receiver: Receiver) -> None:
    receiver.latency = 0.05  # all twenty must have arrived before the first response, on a busy machine too
    for _ in range(4):
        assert all(attempt.status == 200 for attempt in await caller.calls(20))
        assert len(receiver.connections) == 20
    assert receiver.open_calls.peak() == 20


async def test_a_receiver_that_always_closes_gets_every_call(caller: Caller, receiver: Receiver) -> None:
    receiver.script.add(faults.status(200, headers=(("Connection", "close"),)))
    for number in range(10):
        assert (await caller.call(str(number))).status == 200
    assert len(receiver.journal.delivered) == 10


async def test_a_port_where_nothing_listens_is_no_connection() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        async with Caller(url) as caller:
            attempt = await caller.call()
    assert attempt.status is None
    assert attempt.problem.startswith("no connection: ")


async def test_ipv6() -> None:
    async with (
        receiving(host="::1") as receiver,
        Caller(receiver.url) as caller,
    ):
        assert (await caller.call()).status == 200
    assert dict(receiver.journal.all[0].headers)["host"] == f"[::1]:{receiver.port}"


async def test_a_broken_off_call_has_no_result_and_its_connection_ends(caller: Caller, receiver: Receiver) -> None:
    assert (await caller.call()).status == 200
    receiver.script.add(faults.hang_before_headers(), times=3)
    sent = [delivery(str(number)) for number in range(3)]
    results = [caller.start(one) for one in sent]
    await receiver.journal.wait_until(lambda journal: len(journal) == 4, timeout=20)
    for one in sent:
        caller.webhook.cancel(one)
    await caller.no_connections_left(receiver)
    assert not any(result.done() for result in results)
    assert (await caller.call()).status == 200
    assert caller.results == 2


async def test_a_call_broken_off_within_its_response_has_no_result(
    caller: Caller, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "BODY_TIMEOUT", 60.0)
    receiver.script.in_order(faults_floods.drip_body(0.005))
    one = delivery()
    result = caller.start(one)
    await receiver.journal.wait_until(lambda journal: len(journal) == 1, timeout=20)
    await asyncio.sleep(0.02)
    caller.webhook.cancel(one)
    await caller.no_connections_left(receiver)
    assert not result.done()


async def test_closing_ends_everything_without_a_result(receiver: Receiver, certificates: Certificates) -> None:
    caller = Caller(receiver.url, tls=certificates.usual_client)
    await caller.calls(3)
    receiver.script.in_order(faults.hang_before_headers())
    caller.start(delivery("open"))
    await receiver.journal.wait_until(lambda journal: len(journal) == 4, timeout=20)
    for _ in range(5):
        caller.start(delivery("opening"))
    await caller.webhook.close()
    await caller.webhook.close()
    await caller.no_connections_left(receiver)
    assert caller.results == 3


async def test_no_address_of_a_redirect_is_ever_called(caller: Caller, receiver: Receiver) -> None:
    async with receiving() as elsewhere:
        for code in (301, 302, 303, 307, 308):
            receiver.script.in_order(faults.redirect(f"{elsewhere.url}/stolen", code))
            assert (await caller.call()).status == code
    assert len(elsewhere.journal) == 0
    assert elsewhere.open_calls.peak() == 0


async def test_cookies_are_not_kept() -> None:
    async with (
        receiving(response=HttpResponse(200, headers=(("Set-Cookie", "a=b"),))) as receiver,
        Caller(receiver.url) as caller,
    ):
        await caller.call()
        await caller.call()
    assert not any("cookie" in dict(call.headers) for call in receiver.journal.all)
