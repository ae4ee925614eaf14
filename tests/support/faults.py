"""The faults of `simulator.faults` and worse ones, for the tests alone.

A fault is one function, called for an `HttpFault`. Floods and malformed responses have files of their own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from simulator.faults import HttpFault, short_body, slow, status, with_body
from simulator.http import Exchange
from simulator.wire import HttpResponse, encode_head

Play = Callable[[Exchange, HttpResponse], Awaitable[None]]

__all__ = [
    "HttpFault",
    "close",
    "cut_headers",
    "drip",
    "hang_after_headers",
    "hang_before_headers",
    "playing",
    "redirect",
    "reset_after_headers",
    "reset_before_headers",
    "respond_and_close",
    "short_body",
    "slow",
    "status",
]


def playing(*, head: bool = True, whole: bool = True) -> Callable[[Play], Callable[[], HttpFault]]:
    """Makes a fault without parameters from what it plays; its name is the function's."""
    return lambda play: lambda: HttpFault(name=play.__name__.replace("_", " "), play=play, head=head, whole=whole)


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


@playing(head=False, whole=False)
async def close(exchange: Exchange, _response: HttpResponse) -> None:
    """The connection ends in order, without a response."""
    exchange.close()


@playing(head=False, whole=False)
async def cut_headers(exchange: Exchange, response: HttpResponse) -> None:
    """The response ends in the middle of its headers."""
    exchange.send(encode_head(response)[:-6])
    exchange.close()


@playing(head=False, whole=False)
async def reset_before_headers(exchange: Exchange, _response: HttpResponse) -> None:
    """A TCP reset instead of a response."""
    exchange.reset()


@playing(whole=False)
async def reset_after_headers(exchange: Exchange, response: HttpResponse) -> None:
    """The head, then a TCP reset."""
    exchange.send(encode_head(with_body(response)))
    await asyncio.sleep(0.02)  # a reset right after the head can overtake it
    exchange.reset()


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


@playing()
async def respond_and_close(exchange: Exchange, response: HttpResponse) -> None:
    """The usual response, which promises to keep the connection, then its end: the next call finds a dead connection."""
    exchange.respond(response)
    exchange.close()


async def _pause(seconds: float | None) -> None:
    if seconds is None:
        await asyncio.get_running_loop().create_future()
    else:
        await asyncio.sleep(seconds)
