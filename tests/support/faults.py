"""The faults of `simulator.faults` and worse ones, for the tests alone.

A fault is one function; see `HttpFault` for what it may set. Floods and malformed responses have files of their own.
"""

from __future__ import annotations

import asyncio

from simulator.faults import HttpFault, short_body, slow, status, with_body
from simulator.http import Exchange
from simulator.wire import HttpResponse, encode_head

__all__ = [
    "HttpFault",
    "close",
    "cut_headers",
    "drip",
    "hang_after_headers",
    "hang_before_headers",
    "redirect",
    "reset_after_headers",
    "reset_before_headers",
    "respond_and_close",
    "short_body",
    "slow",
    "status",
]


def redirect(location: str, code: int = 302) -> HttpFault:
    """A redirect, which no client of ours may follow."""
    return status(code, headers=(("Location", location),))


def hang_before_headers(seconds: float | None = None) -> HttpFault:
    """No byte, then the end; None: until the client closes the connection."""

    async def play(_exchange: Exchange, _response: HttpResponse) -> None:
        await _pause(seconds)

    return HttpFault(name="hang before headers", play=play, head=False, whole=False)


def hang_after_headers(seconds: float | None = None) -> HttpFault:
    """The head, then nothing, then the end; None: until the client closes the connection."""

    async def play(exchange: Exchange, response: HttpResponse) -> None:
        exchange.send(encode_head(with_body(response)))
        await _pause(seconds)

    return HttpFault(name="hang after headers", play=play, whole=False)


def close() -> HttpFault:
    """The connection ends in order, without a response."""

    async def play(exchange: Exchange, _response: HttpResponse) -> None:
        exchange.close()

    return HttpFault(name="close", play=play, head=False, whole=False)


def cut_headers() -> HttpFault:
    """The response ends in the middle of its headers."""

    async def play(exchange: Exchange, response: HttpResponse) -> None:
        exchange.send(encode_head(response)[:-6])
        exchange.close()

    return HttpFault(name="cut headers", play=play, head=False, whole=False)


def reset_before_headers() -> HttpFault:
    """A TCP reset instead of a response."""

    async def play(exchange: Exchange, _response: HttpResponse) -> None:
        exchange.reset()

    return HttpFault(name="reset before headers", play=play, head=False, whole=False)


def reset_after_headers() -> HttpFault:
    """The head, then a TCP reset."""

    async def play(exchange: Exchange, response: HttpResponse) -> None:
        exchange.send(encode_head(with_body(response)))
        await asyncio.sleep(0.02)  # a reset right after the head can overtake it
        exchange.reset()

    return HttpFault(name="reset after headers", play=play, whole=False)


def drip(interval: float) -> HttpFault:
    """The head of the usual response, one byte every `interval` seconds, without its end.

    With it, a client that was frozen for a while would find a whole response when it wakes, unknown to the journal.
    """

    async def play(exchange: Exchange, response: HttpResponse) -> None:
        for byte in encode_head(response)[:-2]:
            exchange.send(bytes((byte,)))
            await asyncio.sleep(interval)
        await _pause(None)

    return HttpFault(name="drip", play=play, head=False, whole=False)


def respond_and_close() -> HttpFault:
    """The usual response, which promises to keep the connection, then its end: the next call finds a dead connection."""

    async def play(exchange: Exchange, response: HttpResponse) -> None:
        exchange.respond(response)
        exchange.close()

    return HttpFault(name="respond and close", play=play)


async def _pause(seconds: float | None) -> None:
    if seconds is None:
        await asyncio.get_running_loop().create_future()
    else:
        await asyncio.sleep(seconds)
