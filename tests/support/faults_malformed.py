"""Responses that are not quite HTTP, or not quite one response. `head` says which of them the client must accept."""

from __future__ import annotations

import asyncio

from simulator.faults import HttpFault
from simulator.http import Exchange
from simulator.wire import HttpResponse, encode, encode_head
from tests.support.faults import playing

_OK = b"HTTP/1.1 200 OK\r\n"


def _sent(name: str, data: bytes, *, head: bool, whole: bool = False) -> HttpFault:
    """These bytes instead of a response, then the end."""

    async def play(exchange: Exchange, _response: HttpResponse) -> None:
        exchange.send(data)
        exchange.close()

    return HttpFault(name=name, change=lambda _: HttpResponse(200), play=play, head=head, whole=whole)


def garbage() -> HttpFault:
    """Another protocol is spoken on this port."""
    return _sent("garbage", b"SSH-2.0-OpenSSH_9.6\r\n", head=False)


def no_head() -> HttpFault:
    """HTTP/0.9: the body alone."""
    return _sent("no head", b"<html>HTTP/1.1 200 OK</html>\r\n\r\n", head=False)


def no_status() -> HttpFault:
    """A status line without a status."""
    return _sent("no status", b"HTTP/1.1 OK\r\nContent-Length: 0\r\n\r\n", head=False)


def bad_header() -> HttpFault:
    """A header with a NUL in it."""
    return _sent("bad header", _OK + b"X: a\0b\r\nContent-Length: 0\r\n\r\n", head=False)


def two_lengths() -> HttpFault:
    """Two Content-Lengths that contradict each other."""
    return _sent("two lengths", _OK + b"Content-Length: 2\r\nContent-Length: 30\r\n\r\nok", head=False)


def negative_length() -> HttpFault:
    return _sent("negative length", _OK + b"Content-Length: -2\r\n\r\nok", head=False)


def length_and_chunks() -> HttpFault:
    """A length and chunks: two readers would disagree on where the response ends."""
    return _sent(
        "length and chunks", _OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", head=False
    )


def bad_chunk() -> HttpFault:
    """A chunk whose size is no number."""
    return _sent("bad chunk", _OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nok\r\n0\r\n\r\n", head=True)


def cut_chunk() -> HttpFault:
    """The end in the middle of a chunk."""
    return _sent("cut chunk", _OK + b"Transfer-Encoding: chunked\r\n\r\n40\r\nok", head=True)


def until_close() -> HttpFault:
    """A response without a length: the end of the connection ends it."""
    return _sent("until close", _OK + b"\r\nok\n", head=True, whole=True)


def http_1_0() -> HttpFault:
    """An old server: HTTP/1.0, and the connection ends."""
    return _sent("HTTP/1.0", b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nok\n", head=True, whole=True)


def bare_line_feeds() -> HttpFault:
    """Lines that end with LF alone, as some small servers write them."""
    return _sent("bare line feeds", b"HTTP/1.1 200 OK\nContent-Length: 3\n\nok\n", head=True, whole=True)


def switching_protocols() -> HttpFault:
    """101, which no request of ours asked for."""

    async def play(exchange: Exchange, response: HttpResponse) -> None:
        exchange.send(encode_head(response))
        await asyncio.get_running_loop().create_future()

    headers = (("Connection", "Upgrade"), ("Upgrade", "websocket"))
    return HttpFault(name="switching protocols", change=lambda _: HttpResponse(101, headers=headers), play=play)


@playing()
async def long_body(exchange: Exchange, response: HttpResponse) -> None:
    """More bytes than Content-Length announces."""
    exchange.send(encode(response) + b"and there is more\r\n")
    await asyncio.get_running_loop().create_future()


@playing()
async def two_responses(exchange: Exchange, response: HttpResponse) -> None:
    """The usual response, and another one that belongs to no request."""
    exchange.send(encode(response) + encode(HttpResponse(500)))
    await asyncio.get_running_loop().create_future()


def timeout_afterwards(seconds: float = 0.02) -> HttpFault:
    """The usual response; then, without a request, 408 and the end, as some servers close idle connections."""

    async def play(exchange: Exchange, response: HttpResponse) -> None:
        exchange.respond(response)
        await asyncio.sleep(seconds)
        exchange.send(encode(HttpResponse(408), close=True))
        exchange.close()

    return HttpFault(name="timeout afterwards", play=play)
