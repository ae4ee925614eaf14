"""The small HTTP server: what it understands, and that it stops."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import httpx
import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.http import Exchange, Handler, Server
from simulator.receiver import Receiver
from simulator.wire import HttpRequest, HttpResponse


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[Server]:
    server = Server(handler)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


def echo(request: HttpRequest, exchange: Exchange) -> None:
    exchange.respond(HttpResponse(200, f"{request.method} {request.path} {request.body!r}".encode()))


async def talk(server: Server, sent: bytes) -> bytes:
    """Send raw bytes and read until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(sent)
    response = await reader.read()
    writer.close()
    return response


async def test_pipelined_requests_get_their_responses_in_order_on_one_connection() -> None:
    first = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"
    second = b"GET /b%20c?d=e HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    async with serving(echo) as server:
        response = await talk(server, first + second)
    assert response.index(b"POST /a b'hi'") < response.index(b"GET /b c b''")
    assert response.count(b"Connection: close") == 1


async def test_a_request_that_comes_in_pieces_is_put_together() -> None:
    sent = b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    async with serving(echo) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        for byte in sent:
            writer.write(bytes((byte,)))
            await writer.drain()
        assert (await reader.read()).endswith(b"POST /a b'abcde'")
        writer.close()


async def test_what_is_not_http_gets_a_400() -> None:
    async with serving(echo) as server:
        assert (await talk(server, b"\x16\x03\x01 hello\r\n\r\n")).startswith(b"HTTP/1.1 400 Bad Request\r\n")


async def test_a_response_to_head_has_no_body() -> None:
    async with serving(echo) as server:
        response = await talk(server, b"HEAD /a HTTP/1.0\r\n\r\n")
    assert response.endswith(b"\r\n\r\n")
    assert b"Content-Length: 11\r\n" in response


async def test_the_body_of_a_client_that_waits_for_100_continue_arrives() -> None:
    async with serving(echo) as server:
        response = await talk(server, b"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi")
    assert response.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")


class Hanging:
    """A handler that never responds, and reports when it begins and when it ends."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.ended = asyncio.Event()

    async def __call__(self, _request: HttpRequest, _exchange: Exchange) -> None:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.set()


async def test_stop_ends_a_hanging_handler_and_the_port_can_be_used_again() -> None:
    hang = Hanging()
    async with serving(hang) as server:
        call = asyncio.create_task(talk(server, b"GET / HTTP/1.1\r\n\r\n"))
        await hang.begun.wait()
        await server.stop()
        assert hang.ended.is_set()
        await asyncio.gather(call, return_exceptions=True)
        await server.start(port=server.port)
        server.handler = echo
        assert await talk(server, b"GET / HTTP/1.0\r\n\r\n")


async def test_a_handler_ends_when_its_client_goes_away() -> None:
    hang = Hanging()
    async with serving(hang) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        await hang.begun.wait()
        writer.close()
        await asyncio.wait_for(hang.ended.wait(), 20)
        assert server.open_calls.now == 0


async def test_a_handler_that_fails_is_reported_and_its_client_sees_the_end() -> None:
    reports: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(str(context["exception"])))

    async def fail(_request: HttpRequest, _exchange: Exchange) -> None:
        raise ValueError("broken")

    async with serving(fail) as server:
        assert await talk(server, b"GET / HTTP/1.1\r\n\r\n") == b""
    assert reports == ["broken"]


async def test_a_plain_handler_that_fails_is_reported_too() -> None:
    reports: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(str(context["exception"])))

    def fail(_request: HttpRequest, _exchange: Exchange) -> None:
        raise ValueError("broken")

    async with serving(fail) as server:
        assert await talk(server, b"GET / HTTP/1.1\r\n\r\n") == b""
    assert reports == ["broken"]


async def test_a_raw_response_is_passed_on_byte_for_byte() -> None:
    def odd(_request: HttpRequest, exchange: Exchange) -> None:
        exchange.send(b"HTTP/1.1 999 What\r\n\r\n")

    async with serving(odd) as server:
        assert await talk(server, b"GET / HTTP/1.1\r\n\r\n") == b"HTTP/1.1 999 What\r\n\r\n"


@pytest.mark.parametrize("ending", [Exchange.reset, Exchange.close])
async def test_a_reset_is_told_apart_from_an_end(ending: Callable[[Exchange], None]) -> None:
    async with serving(lambda _, exchange: ending(exchange)) as server:
        call = talk(server, b"GET / HTTP/1.1\r\n\r\n")
        if ending is Exchange.close:
            assert await call == b""
        else:
            await _is_reset(call)


async def _is_reset(call: Awaitable[bytes]) -> None:
    with pytest.raises(ConnectionResetError):
        await call


async def test_tls() -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    server = Server(echo, tls=context)
    await server.start()
    async with httpx.AsyncClient(verify=trusting) as client:
        response = await client.post(server.url + "/a", content=b"hi")
    await server.stop()
    assert server.url.startswith("https://")
    assert response.text == "POST /a b'hi'"


@pytest.mark.parametrize("part", [b"X: %b\r\n" % (b"y" * 1000), b"y" * 1000], ids=["headers", "a header"])
async def test_a_head_without_end_is_rejected(part: bytes) -> None:
    async with serving(echo) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"POST / HTTP/1.1\r\nX: ")
        with suppress(ConnectionError):
            for _ in range(400):
                writer.write(part)
                await writer.drain()
        with suppress(ConnectionError):
            assert (await reader.read()).startswith(b"HTTP/1.1 431 ")
        writer.close()
        assert (await talk(server, b"GET / HTTP/1.0\r\n\r\n")).endswith(b"GET / b''"), "the next one is served"


async def test_a_body_beyond_the_bound_is_rejected_and_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.http._MAX_BODY", 100_000)
    handled: list[HttpRequest] = []

    def keep(request: HttpRequest, exchange: Exchange) -> None:
        handled.append(request)
        echo(request, exchange)

    async with serving(keep) as server:
        for framing in (
            b"Content-Length: 100001\r\n\r\n" + b"x" * 100_001,
            b"Transfer-Encoding: chunked\r\n\r\n" + b"ffff\r\n%b\r\n" % (b"x" * 65535) * 2,
        ):
            assert b"HTTP/1.1 413 " in await talk(server, b"POST / HTTP/1.1\r\n" + framing)
        assert handled == []


async def test_large_bodies_follow_each_other_on_one_connection() -> None:
    """The bytes of a body do not count as those of the next head."""
    body = b"x" * 300_000
    async with serving(lambda request, exchange: exchange.respond(HttpResponse(200, str(len(request.body)).encode()))) as server:
        post = b"POST / HTTP/1.1\r\nContent-Length: 300000\r\n\r\n" + body
        response = await talk(server, post * 3 + b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
    assert response.count(b"HTTP/1.1 200 ") == 4


_LINES = [b"POST / HTTP/1.1\r\n", b"GET http://a/ HTTP/1.1\r\n", b"POST / HTTP/9.9\r\n", b"CONNECT a:1 HTTP/1.1\r\n"]
_HEADERS = [b"Content-Length: 5\r\n", b"Content-Length: 99999999999999999999\r\n", b"Transfer-Encoding: chunked\r\n", b": x\r\n"]
_OTHERS = [b"Expect: 100-continue\r\n", b"Connection: Upgrade\r\nUpgrade: h2c\r\n", b"webhook-id: \xff\r\n", b"\r\n"]
_BODIES = [b"hello", b"5\r\nhello\r\n", b"0\r\n\r\n", b'{"log_id":"1"}', b"\0"]
_PIECES = st.sampled_from([*_LINES, *_HEADERS, *_OTHERS, *_BODIES])


@given(st.lists(_PIECES | st.binary(max_size=40), max_size=12).map(b"".join))
@settings(max_examples=60, deadline=None)
def test_whatever_a_client_sends_the_next_one_is_served(sent: bytes) -> None:
    async def play() -> None:
        errors: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
        receiver = Receiver(keep_entries=False)
        await receiver.start()
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", receiver.port)
            writer.write(sent)
            await writer.drain()
            writer.write_eof()
            response = await talk(receiver, b"POST / HTTP/1.1\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
            writer.close()
        finally:
            await receiver.stop()
        assert response.startswith(b"HTTP/1.1 200 ")
        assert errors == []

    asyncio.run(play())
