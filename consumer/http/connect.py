"""Connections to one host and port, with or without TLS, only to addresses that the address policy allows."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol, TypeVar

from consumer.http.errors import NoConnection, NoDescriptor, no_connection
from consumer.http.url import Url
from consumer.webhook import Failure
from shared.address_policy import refusal
from shared.descriptors import is_shortage

ProtocolT = TypeVar("ProtocolT", bound=asyncio.Protocol)

#: Seconds. A receiver that closes after each response must not cost a DNS query for each call.
_REMEMBERED: Final = 10.0
_FAILURE_REMEMBERED: Final = 1.0


class Route(Protocol):
    """A way to the webhook."""

    async def open(self, make: Callable[[], ProtocolT], until: float) -> ProtocolT:
        """Returns the protocol that `make` made, on an open connection.

        Raises `NoConnection`, or `TimeoutError` at `until` on the loop's clock.
        """


class DirectRoute(Route):
    """`tls` is for secure URLs; the certificate is checked against the name in the URL, whatever the address."""

    def __init__(self, url: Url, *, tls: ssl.SSLContext | None, allow_private: bool) -> None:
        self._tls = (tls or ssl.create_default_context()) if url.secure else None
        self._name = url.host if url.secure else None
        self._resolver = Resolver(url, allow_private=allow_private)

    async def open(self, make: Callable[[], ProtocolT], until: float) -> ProtocolT:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout_at(until):
            connected = await self._connect(until)
            try:
                _, protocol = await loop.create_connection(make, sock=connected, ssl=self._tls, server_hostname=self._name)
            except (OSError, ValueError) as error:
                raise no_connection(error) from None
        return protocol

    async def _connect(self, until: float) -> socket.socket:
        """Tries one address after the other, each with its part of the time: the first may drop every packet."""
        now = asyncio.get_running_loop().time
        addresses = await self._resolver.resolve()
        failures: list[OSError] = []
        for left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
            try:
                async with asyncio.timeout_at(now() + (until - now()) / left):
                    connected = await _connect(address)
            except TimeoutError:
                continue
            except OSError as error:
                failures.append(error)
            else:
                self._resolver.prefer(address)
                return connected
        self._resolver.expire()
        raise no_connection(next(filter(is_shortage, failures), failures[0])) if failures else TimeoutError


class Address(NamedTuple):
    family: int
    #: The argument of `socket.connect`; the IP address comes first.
    sockaddr: tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]


class Resolver:
    """The addresses of one host: resolved, checked, and remembered for a while.

    Connect only to what `resolve` returns: a name that is resolved a second time may lead elsewhere.
    """

    def __init__(self, url: Url, *, allow_private: bool) -> None:
        self._url = url
        self._allow_private = allow_private
        self._addresses: list[Address] = []
        self._error: NoConnection | None = None
        self._until = 0.0
        # Fifty connections that are opened at once make one query.
        self._looking_up = asyncio.Lock()

    async def resolve(self) -> list[Address]:
        """Returns at least one address, the best first. Raises `NoConnection`."""
        now = asyncio.get_running_loop().time
        async with self._looking_up:
            if now() >= self._until:
                await self._look_up()
                self._until = now() + (_FAILURE_REMEMBERED if self._error else _REMEMBERED)
        if self._error:
            raise NoConnection(str(self._error), self._error.cause, self._error.failure)
        return list(self._addresses)

    def prefer(self, address: Address) -> None:
        """Put this address, which accepted a connection, first."""
        if address in self._addresses:
            self._addresses.remove(address)
            self._addresses.insert(0, address)

    def expire(self) -> None:
        """Look up again next time: no address accepted a connection."""
        self._until = 0.0

    async def _look_up(self) -> None:
        self._error = None
        try:
            found = await asyncio.get_running_loop().getaddrinfo(self._url.host, self._url.port, type=socket.SOCK_STREAM)
        except (OSError, ValueError) as error:
            failure = no_connection(error)
            if isinstance(failure, NoDescriptor):  # not to be remembered
                raise failure from None
            self._error = failure
        else:
            self._check([Address(family, sockaddr) for family, _, _, _, sockaddr in found])

    def _check(self, found: list[Address]) -> None:
        refusals = [refusal(str(address.sockaddr[0]), allow_private=self._allow_private) for address in found]
        self._addresses = [address for address, refused in zip(found, refusals, strict=True) if not refused]
        if not self._addresses:
            self._error = NoConnection(f"refused by us: {refusals[0]}", failure=Failure.REFUSED_ADDRESS)


async def _connect(address: Address) -> socket.socket:
    connecting = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        connecting.settimeout(0)
        await asyncio.get_running_loop().sock_connect(connecting, address.sockaddr)
    except BaseException:
        connecting.close()
        raise
    return connecting
