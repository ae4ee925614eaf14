"""The addresses of one host: resolved, judged, and remembered for a while."""

from __future__ import annotations

import asyncio
import socket
from typing import Final, NamedTuple

from consumer.http.errors import NoConnection, NoDescriptor, no_connection
from consumer.http.url import Origin
from shared.address_policy import refusal

#: Seconds. A receiver that closes after each answer must not cost a question to the DNS for each call.
_REMEMBERED: Final = 10.0
_FAILURE_REMEMBERED: Final = 1.0


class Address(NamedTuple):
    family: int
    #: As `socket.connect` wants it; the IP address comes first.
    place: tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]


class Addresses:
    """Connections are made to what `get` gives and nothing else: a name that is resolved twice could lead elsewhere."""

    def __init__(self, origin: Origin, *, allow_private: bool) -> None:
        self._origin = origin
        self._allow_private = allow_private
        self._known: list[Address] = []
        self._problem: NoConnection | None = None
        self._until = 0.0
        # Fifty connections that open at once ask once.
        self._asking = asyncio.Lock()

    async def get(self) -> list[Address]:
        """At least one, best first. Raises `NoConnection`."""
        now = asyncio.get_running_loop().time
        async with self._asking:
            if now() >= self._until:
                await self._ask()
                self._until = now() + (_FAILURE_REMEMBERED if self._problem else _REMEMBERED)
        if self._problem:
            raise NoConnection(str(self._problem), self._problem.cause)
        return list(self._known)

    def prefer(self, address: Address) -> None:
        """This one took a connection: try it first."""
        if address in self._known:
            self._known.remove(address)
            self._known.insert(0, address)

    def forget(self) -> None:
        """None of them took a connection: ask again next time."""
        self._until = 0.0

    async def _ask(self) -> None:
        loop, (_, host, port) = asyncio.get_running_loop(), self._origin
        self._problem = None
        try:
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, ValueError) as error:
            problem = no_connection(error)
            if isinstance(problem, NoDescriptor):  # not to be remembered
                raise problem from None
            self._problem = problem
        else:
            self._judge([Address(family, place) for family, _, _, _, place in found])

    def _judge(self, found: list[Address]) -> None:
        refusals = [refusal(str(address.place[0]), allow_private=self._allow_private) for address in found]
        self._known = [address for address, refused in zip(found, refusals, strict=True) if not refused]
        if not self._known:
            self._problem = NoConnection(f"refused by us: {refusals[0]}")
