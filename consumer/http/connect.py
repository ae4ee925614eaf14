"""Connections to one host and port, with or without TLS."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import Protocol, TypeVar

from consumer.http.addresses import Address, Addresses
from consumer.http.errors import no_connection
from consumer.http.url import Origin
from shared.descriptors import is_shortage

Talk = TypeVar("Talk", bound=asyncio.Protocol)


class Route(Protocol):
    """A way to the webhook."""

    async def open(self, talk: Callable[[], Talk], until: float) -> Talk:
        """A connection whose protocol `talk` makes. Raises `NoConnection`, or `TimeoutError` at `until` on the loop's clock."""


class Direct(Route):
    """`tls` is for secure origins; the certificate is judged by the name in the URL, whatever the address."""

    def __init__(self, origin: Origin, *, tls: ssl.SSLContext | None, allow_private: bool) -> None:
        self._tls = (tls or ssl.create_default_context()) if origin.secure else None
        self._name = origin.host if origin.secure else None
        self._addresses = Addresses(origin, allow_private=allow_private)

    async def open(self, talk: Callable[[], Talk], until: float) -> Talk:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout_at(until):
            plain = await self._connect(until)
            try:
                _, protocol = await loop.create_connection(talk, sock=plain, ssl=self._tls, server_hostname=self._name)
            except (OSError, ValueError) as error:
                raise no_connection(error) from None
        return protocol

    async def _connect(self, until: float) -> socket.socket:
        """One address after the other, each with its part of the time: the first may be a black hole."""
        now = asyncio.get_running_loop().time
        addresses = await self._addresses.get()
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
                self._addresses.prefer(address)
                return connected
        self._addresses.forget()
        raise no_connection(next(filter(is_shortage, failures), failures[0])) if failures else TimeoutError


async def _connect(address: Address) -> socket.socket:
    connecting = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        connecting.settimeout(0)
        await asyncio.get_running_loop().sock_connect(connecting, address.place)
    except BaseException:
        connecting.close()
        raise
    return connecting
