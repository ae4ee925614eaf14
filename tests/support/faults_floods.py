"""Responses that are too long to read, or that take too long to wait for."""

from __future__ import annotations

import asyncio
import gzip
from functools import cache

from simulator.faults import HttpFault
from simulator.http import Exchange
from simulator.wire import HttpResponse, encode, encode_head
from tests.support.faults import playing

_CHUNK = b"4000\r\n" + b"x" * 0x4000 + b"\r\n"
_CHUNKED = (("Transfer-Encoding", "chunked"),)


@playing(whole=False)
async def endless_body(exchange: Exchange, response: HttpResponse) -> None:
    """Chunk after chunk, without end."""
    exchange.send(encode_head(HttpResponse(response.status, headers=_CHUNKED)))
    await _send_without_end(exchange, _CHUNK)


def huge_body(size: int = 10_000_000_000) -> HttpFault:
    """A body of so many bytes, announced by Content-Length. Recorded as not whole: no client is expected to read all of it."""

    async def play(exchange: Exchange, response: HttpResponse) -> None:
        exchange.send(encode_head(HttpResponse(response.status, headers=(("Content-Length", str(size)),))))
        await _send_without_end(exchange, _CHUNK)

    return HttpFault(name="huge body", play=play, whole=False)


def gzip_bomb() -> HttpFault:
    """A short body that unpacks to 32 MiB."""
    headers = (("Content-Encoding", "gzip"), ("Content-Type", "application/json"))
    return HttpFault(name="gzip bomb", change=lambda response: HttpResponse(response.status, _bomb(), headers))


@playing(whole=False)
async def endless_trailers(exchange: Exchange, response: HttpResponse) -> None:
    """A body that ends, and trailers that do not."""
    exchange.send(encode_head(HttpResponse(response.status, headers=_CHUNKED)) + b"0\r\n")
    await _send_without_end(exchange, b"X-Trailer: %b\r\n" % (b"x" * 1000))


@playing(head=False, whole=False)
async def header_flood(exchange: Exchange, response: HttpResponse) -> None:
    """Header after header, without end."""
    exchange.send(encode_head(response)[:-2])
    await _send_without_end(exchange, b"X-Header: %b\r\n" % (b"x" * 1000))


@playing(head=False, whole=False)
async def long_header(exchange: Exchange, response: HttpResponse) -> None:
    """One header that does not end."""
    exchange.send(encode_head(response)[:-2] + b"X-Header: ")
    await _send_without_end(exchange, b"x" * 1000)


@playing(head=False, whole=False)
async def informational_flood(exchange: Exchange, _response: HttpResponse) -> None:
    """100 Continue after 100 Continue, and never a response."""
    await _send_without_end(exchange, b"HTTP/1.1 100 Continue\r\n\r\n")


@playing()
async def early_hints(exchange: Exchange, response: HttpResponse) -> None:
    """Two responses of the 1xx kind, then the usual one."""
    exchange.send(encode(HttpResponse(100)) + encode(HttpResponse(103, headers=(("Link", "</style.css>"),))))
    exchange.respond(response)


def drip_body(interval: float) -> HttpFault:
    """The head at once, then a byte every `interval` seconds, without end."""

    async def play(exchange: Exchange, response: HttpResponse) -> None:
        exchange.send(encode_head(HttpResponse(response.status, headers=_CHUNKED)))
        while True:
            exchange.send(b"1\r\nx\r\n")
            await asyncio.sleep(interval)

    return HttpFault(name="drip body", play=play, whole=False)


def drip_headers(interval: float) -> HttpFault:
    """A header every `interval` seconds, without end."""

    async def play(exchange: Exchange, response: HttpResponse) -> None:
        exchange.send(encode_head(response)[:-2])
        while True:
            exchange.send(b"X-Header: x\r\n")
            await asyncio.sleep(interval)

    return HttpFault(name="drip headers", play=play, head=False, whole=False)


async def _send_without_end(exchange: Exchange, data: bytes) -> None:
    while True:
        exchange.send(data)
        await exchange.drain()
        await asyncio.sleep(0)  # drain does not yield while there is room


@cache
def _bomb() -> bytes:
    return gzip.compress(bytes(32 * 1024 * 1024), compresslevel=9)
