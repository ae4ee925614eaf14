"""Answers that are more than anybody should read, or that take longer than anybody should wait."""

from __future__ import annotations

import asyncio
import gzip
from functools import cache

from simulator.faults import Fault
from simulator.http import Exchange
from simulator.wire import Answer, encode, encode_head

_CHUNK = b"4000\r\n" + b"x" * 0x4000 + b"\r\n"
_CHUNKED = (("Transfer-Encoding", "chunked"),)


def endless_body() -> Fault:
    """Chunk after chunk, for ever."""

    async def play(exchange: Exchange, answer: Answer) -> None:
        exchange.send(encode_head(Answer(answer.status, headers=_CHUNKED)))
        await _for_ever(exchange, _CHUNK)

    return Fault(name="endless body", play=play, whole=False)


def huge_body(size: int = 10_000_000_000) -> Fault:
    """A body of so many bytes, announced by Content-Length. Journalled as not whole: nobody is expected to take it all."""

    async def play(exchange: Exchange, answer: Answer) -> None:
        exchange.send(encode_head(Answer(answer.status, headers=(("Content-Length", str(size)),))))
        await _for_ever(exchange, _CHUNK)

    return Fault(name="huge body", play=play, whole=False)


def gzip_bomb() -> Fault:
    """A short body that unpacks to 32 MiB."""
    headers = (("Content-Encoding", "gzip"), ("Content-Type", "application/json"))
    return Fault(name="gzip bomb", change=lambda answer: Answer(answer.status, _bomb(), headers))


def endless_trailers() -> Fault:
    """A body that ends, and trailers that do not."""

    async def play(exchange: Exchange, answer: Answer) -> None:
        exchange.send(encode_head(Answer(answer.status, headers=_CHUNKED)) + b"0\r\n")
        await _for_ever(exchange, b"X-Trailer: %b\r\n" % (b"x" * 1000))

    return Fault(name="endless trailers", play=play, whole=False)


def header_flood() -> Fault:
    """Header after header, for ever."""

    async def play(exchange: Exchange, answer: Answer) -> None:
        exchange.send(encode_head(answer)[:-2])
        await _for_ever(exchange, b"X-Header: %b\r\n" % (b"x" * 1000))

    return Fault(name="header flood", play=play, head=False, whole=False)


def long_header() -> Fault:
    """One header that does not end."""

    async def play(exchange: Exchange, answer: Answer) -> None:
        exchange.send(encode_head(answer)[:-2] + b"X-Header: ")
        await _for_ever(exchange, b"x" * 1000)

    return Fault(name="long header", play=play, head=False, whole=False)


def informational_flood() -> Fault:
    """100 Continue after 100 Continue, and never an answer."""

    async def play(exchange: Exchange, _answer: Answer) -> None:
        await _for_ever(exchange, b"HTTP/1.1 100 Continue\r\n\r\n")

    return Fault(name="informational flood", play=play, head=False, whole=False)


def early_hints() -> Fault:
    """Two answers of the 1xx kind, then the usual one."""

    async def play(exchange: Exchange, answer: Answer) -> None:
        exchange.send(encode(Answer(100)) + encode(Answer(103, headers=(("Link", "</style.css>"),))))
        exchange.respond(answer)

    return Fault(name="early hints", play=play)


def drip_body(interval: float) -> Fault:
    """The head at once, then a byte every `interval` seconds, for ever."""

    async def play(exchange: Exchange, answer: Answer) -> None:
        exchange.send(encode_head(Answer(answer.status, headers=_CHUNKED)))
        while True:
            exchange.send(b"1\r\nx\r\n")
            await asyncio.sleep(interval)

    return Fault(name="drip body", play=play, whole=False)


def drip_headers(interval: float) -> Fault:
    """A header every `interval` seconds, for ever."""

    async def play(exchange: Exchange, answer: Answer) -> None:
        exchange.send(encode_head(answer)[:-2])
        while True:
            exchange.send(b"X-Header: x\r\n")
            await asyncio.sleep(interval)

    return Fault(name="drip headers", play=play, head=False, whole=False)


async def _for_ever(exchange: Exchange, data: bytes) -> None:
    while True:
        exchange.send(data)
        await exchange.drain()
        await asyncio.sleep(0)  # drain does not give way while there is room


@cache
def _bomb() -> bytes:
    return gzip.compress(bytes(32 * 1024 * 1024), compresslevel=9)
