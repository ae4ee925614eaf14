"""How a server can misbehave: one function per kind, for the tenant and the receiver alike.

To add a kind, add a function that returns a `Fault`: `change` makes another answer out of the usual one, `play` puts it on the
wire in its own way. Nothing else has to know of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from simulator.http import Exchange
from simulator.wire import Answer, Headers, encode_head


def _same(answer: Answer) -> Answer:
    return answer


async def _respond(exchange: Exchange, answer: Answer) -> None:
    exchange.respond(answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One way to misbehave. `head` and `whole` are what the journal believes, so they must be true of `play`."""

    #: What the journal and the script's counts call it.
    name: str
    #: Seconds before anything else happens, in which the client may well go away.
    delay: float = 0.0
    #: The answer that is meant, made from the usual one.
    change: Callable[[Answer], Answer] = _same
    #: Puts that answer on the wire. Cancelled when the client goes away or the server stops.
    play: Callable[[Exchange, Answer], Awaitable[None]] = _respond
    #: The client gets a complete head, and with it the status. False: it does not, however long it waits.
    head: bool = True
    #: The client gets the whole answer if it waits for it.
    whole: bool = True


def status(code: int, *, headers: Headers = (), body: bytes = b"", delay: float = 0.0) -> Fault:
    """A well-formed answer with another status, such as 503 with `(("Retry-After", "2"),)`."""
    return Fault(name=str(code), delay=delay, change=lambda _: Answer(code, body, headers))


def redirect(location: str, code: int = 302) -> Fault:
    """Nobody should follow it."""
    return status(code, headers=(("Location", location),))


def slow(seconds: float) -> Fault:
    """The usual answer, late."""
    return Fault(name="slow", delay=seconds)


def hang_before_headers(seconds: float | None = None) -> Fault:
    """Not a byte, then an end; None: until the client goes away."""

    async def play(_exchange: Exchange, _answer: Answer) -> None:
        await _pause(seconds)

    return Fault(name="hang before headers", play=play, head=False, whole=False)


def hang_after_headers(seconds: float | None = None) -> Fault:
    """The head, then nothing, then an end; None: until the client goes away."""

    async def play(exchange: Exchange, answer: Answer) -> None:
        exchange.send(encode_head(_with_body(answer)))
        await _pause(seconds)

    return Fault(name="hang after headers", play=play, whole=False)


def close() -> Fault:
    """The connection ends in order, without an answer."""

    async def play(exchange: Exchange, _answer: Answer) -> None:
        exchange.close()

    return Fault(name="close", play=play, head=False, whole=False)


def cut_headers() -> Fault:
    """The answer breaks off in the middle of its headers."""

    async def play(exchange: Exchange, answer: Answer) -> None:
        exchange.send(encode_head(answer)[:-6])
        exchange.close()

    return Fault(name="cut headers", play=play, head=False, whole=False)


def short_body() -> Fault:
    """Half of the body that Content-Length announces, then the end."""

    async def play(exchange: Exchange, answer: Answer) -> None:
        answer = _with_body(answer)
        exchange.send(encode_head(answer) + answer.body[: len(answer.body) // 2])
        exchange.close()

    return Fault(name="short body", play=play, whole=False)


def reset_before_headers() -> Fault:
    """A TCP reset in the place of an answer."""

    async def play(exchange: Exchange, _answer: Answer) -> None:
        exchange.reset()

    return Fault(name="reset before headers", play=play, head=False, whole=False)


def reset_after_headers() -> Fault:
    """The head, then a TCP reset."""

    async def play(exchange: Exchange, answer: Answer) -> None:
        exchange.send(encode_head(_with_body(answer)))
        await asyncio.sleep(0.02)  # A reset right behind it can overtake the head.
        exchange.reset()

    return Fault(name="reset after headers", play=play, whole=False)


def drip(interval: float) -> Fault:
    """The head of the usual answer, one byte every `interval` seconds, without its end.

    With it, a client that stands still for a while would find a whole answer when it wakes, and the journal not know of it.
    """

    async def play(exchange: Exchange, answer: Answer) -> None:
        for byte in encode_head(answer)[:-2]:
            exchange.send(bytes((byte,)))
            await asyncio.sleep(interval)
        await _pause(None)

    return Fault(name="drip", play=play, head=False, whole=False)


def answer_and_close() -> Fault:
    """The usual answer, which promises to keep the connection, and then its end: the next call meets a dead connection."""

    async def play(exchange: Exchange, answer: Answer) -> None:
        exchange.respond(answer)
        exchange.close()

    return Fault(name="answer and close", play=play)


async def _pause(seconds: float | None) -> None:
    if seconds is None:
        await asyncio.get_running_loop().create_future()
    else:
        await asyncio.sleep(seconds)


def _with_body(answer: Answer) -> Answer:
    """An answer whose body can be missing: without one, the head alone would be the whole of it."""
    return answer if answer.body else Answer(answer.status, b"never to arrive\n", answer.headers)
