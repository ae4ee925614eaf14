"""How a server can misbehave, for the tenant and the receiver alike. The faults that only tests use are in `tests/support`.

To add a fault, add a function that returns an `HttpFault`: `change` makes another response from the usual one, `play` sends it in
its own way. Nothing else needs to know about it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from simulator.http import Exchange
from simulator.wire import Headers, HttpResponse, encode_head


def _same(response: HttpResponse) -> HttpResponse:
    return response


async def _respond(exchange: Exchange, response: HttpResponse) -> None:
    exchange.respond(response)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpFault:
    """One way to misbehave. The journal records `head` and `whole`, so they must describe what `play` does."""

    #: Its name in the journal and in the counts of the script.
    name: str
    #: Seconds before anything else happens; the client may close the connection in that time.
    delay: float = 0.0
    #: Makes the response from the usual one.
    change: Callable[[HttpResponse], HttpResponse] = _same
    #: Sends that response. Cancelled when the client closes the connection or the server stops.
    play: Callable[[Exchange, HttpResponse], Awaitable[None]] = _respond
    #: The client gets a complete head, and with it the status; False: never, however long it waits.
    head: bool = True
    #: The client gets the whole response if it waits for it.
    whole: bool = True


def status(code: int, *, headers: Headers = (), body: bytes = b"", delay: float = 0.0) -> HttpFault:
    """A well-formed response with another status, such as 503 with `(("Retry-After", "2"),)`."""
    return HttpFault(name=str(code), delay=delay, change=lambda _: HttpResponse(code, body, headers))


def slow(seconds: float) -> HttpFault:
    """The usual response, late."""
    return HttpFault(name="slow", delay=seconds)


def short_body() -> HttpFault:
    """Half of the body that Content-Length announces, then the end."""

    async def play(exchange: Exchange, response: HttpResponse) -> None:
        response = with_body(response)
        exchange.send(encode_head(response) + response.body[: len(response.body) // 2])
        exchange.close()

    return HttpFault(name="short body", play=play, whole=False)


def with_body(response: HttpResponse) -> HttpResponse:
    """Returns the response with a body that can be left out: without one, the head alone would be the whole response."""
    return response if response.body else HttpResponse(response.status, b"never to arrive\n", response.headers)
