"""The way through a proxy: CONNECT for https webhooks, the whole URL in the request line for http ones.

The proxy resolves the webhook's name, so only an address that stands in the URL itself can be judged here.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import cast

from consumer.http.connect import Direct, Route, Talk
from consumer.http.errors import NoConnection, NoDescriptor, broken, no_connection
from consumer.http.response import Answer
from consumer.http.url import Origin, login_of
from consumer.webhook import Cause
from shared.address_policy import refusal_of_host


class Proxied(Route):
    """`tls` is for the webhook; a proxy that is secure itself is judged by the machine's own authorities."""

    def __init__(self, target: Origin, *, proxy: str, tls: ssl.SSLContext | None, allow_private: bool) -> None:
        self._target = target
        self._login = login_of(proxy)
        self._tls = (tls or ssl.create_default_context()) if target.secure else None
        self._to_proxy = Direct(Origin.of(proxy), tls=None, allow_private=True)
        self._refusal = refusal_of_host(target.host, allow_private=allow_private)

    async def open(self, talk: Callable[[], Talk], until: float) -> Talk:
        if self._refusal:
            raise NoConnection(f"refused by us: {self._refusal}")
        if self._tls is None:
            return await self._reach(talk, until)
        tunnel = await self._reach(_Tunnel, until)
        try:
            async with asyncio.timeout_at(until):
                await tunnel.ask(self._request())
                return await self._secured(tunnel.transport, talk())
        except BaseException:
            tunnel.transport.abort()
            raise

    async def _reach(self, talk: Callable[[], Talk], until: float) -> Talk:
        try:
            return await self._to_proxy.open(talk, until)
        except NoDescriptor:
            raise
        except NoConnection as problem:
            raise NoConnection(str(problem), Cause.PROXY) from None

    async def _secured(self, transport: asyncio.Transport, protocol: Talk) -> Talk:
        start_tls = asyncio.get_running_loop().start_tls
        try:
            secure = await start_tls(transport, protocol, cast(ssl.SSLContext, self._tls), server_hostname=self._target.host)
        except (OSError, ValueError) as error:
            raise no_connection(error) from None
        if secure is None:  # asyncio's way to say that it was closed meanwhile
            raise NoConnection("no connection: it was closed during the TLS handshake")
        protocol.connection_made(secure)
        return protocol

    def _request(self) -> bytes:
        lines = [f"CONNECT {self._target.authority} HTTP/1.1", f"Host: {self._target.authority}"]
        if self._login:
            lines.append(f"Proxy-Authorization: {self._login}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


class _Tunnel(asyncio.Protocol):
    """Asks the proxy for the way through."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self._answer = Answer()
        self._answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def ask(self, request: bytes) -> None:
        """Raises `NoConnection` unless the proxy opens the way."""
        self.transport.write(request)
        await self._answered

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._answer.feed(data)
        # Not `over`: what follows a 2xx here is the tunnel, not a body.
        if self._answer.status is not None or self._answer.over:
            self._settle(self._answer.problem or f"it answered {self._answer.status}")

    def connection_lost(self, exc: Exception | None) -> None:
        self._settle(broken(exc, begun=self._answer.begun))

    def _settle(self, problem: str) -> None:
        if self._answered.done():
            return
        if self._answer.status is not None and 200 <= self._answer.status <= 299:
            self._answered.set_result(None)
        else:
            self._answered.set_exception(NoConnection(f"no way through the proxy: {problem}", Cause.PROXY))
