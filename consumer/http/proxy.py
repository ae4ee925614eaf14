"""The way through a proxy: CONNECT for https webhooks, the whole URL in the request line for http ones.

The proxy resolves the webhook's name, so the address policy can only check an address that stands in the URL itself.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import cast

from consumer.http.connect import DirectRoute, ProtocolT, Route
from consumer.http.errors import NoConnection, NoDescriptor, connection_lost, no_connection
from consumer.http.response import Response
from consumer.http.url import Url
from consumer.webhook import Cause, Failure
from shared.address_policy import refusal_of_host


class ProxyRoute(Route):
    """`tls` is for the webhook; the certificate of a secure proxy is checked against the machine's own authorities."""

    def __init__(self, webhook: Url, *, proxy: Url, tls: ssl.SSLContext | None, allow_private: bool) -> None:
        self._webhook = webhook
        self._login = proxy.basic_login
        self._tls = (tls or ssl.create_default_context()) if webhook.secure else None
        self._to_proxy = DirectRoute(proxy, tls=None, allow_private=True)
        self._refusal = refusal_of_host(webhook.host, allow_private=allow_private)

    async def open(self, make: Callable[[], ProtocolT], until: float) -> ProtocolT:
        if self._refusal:
            raise NoConnection(f"refused by us: {self._refusal}", failure=Failure.REFUSED_ADDRESS)
        if self._tls is None:
            return await self._reach_proxy(make, until)
        tunnel = await self._reach_proxy(_Tunnel, until)
        try:
            async with asyncio.timeout_at(until):
                await tunnel.request(self._connect_request())
                return await self._start_tls(tunnel.transport, make())
        except BaseException:
            tunnel.transport.abort()
            raise

    async def _reach_proxy(self, make: Callable[[], ProtocolT], until: float) -> ProtocolT:
        try:
            return await self._to_proxy.open(make, until)
        except NoDescriptor:
            raise
        except NoConnection as failure:
            raise NoConnection(str(failure), Cause.PROXY) from None

    async def _start_tls(self, transport: asyncio.Transport, protocol: ProtocolT) -> ProtocolT:
        start_tls = asyncio.get_running_loop().start_tls
        try:
            secure = await start_tls(transport, protocol, cast(ssl.SSLContext, self._tls), server_hostname=self._webhook.host)
        except (OSError, ValueError) as error:
            raise no_connection(error) from None
        if secure is None:  # asyncio returns None if it was closed meanwhile
            raise NoConnection("no connection: it was closed during the TLS handshake", failure=Failure.TLS)
        protocol.connection_made(secure)
        return protocol

    def _connect_request(self) -> bytes:
        lines = [f"CONNECT {self._webhook.authority} HTTP/1.1", f"Host: {self._webhook.authority}"]
        if self._login:
            lines.append(f"Proxy-Authorization: {self._login}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


class _Tunnel(asyncio.Protocol):
    """Sends CONNECT and waits for the proxy's response."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self._response = Response()
        self._opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def request(self, request: bytes) -> None:
        """Raises `NoConnection` unless the proxy opens the tunnel."""
        self.transport.write(request)
        await self._opened

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._response.feed(data)
        # Not `done` alone: what follows a 2xx here is the tunnel, not a body.
        if self._response.status is not None or self._response.done:
            self._settle(self._response.problem or f"it answered {self._response.status}")

    def connection_lost(self, exc: Exception | None) -> None:
        self._settle(connection_lost(exc, started=self._response.started))

    def _settle(self, problem: str) -> None:
        if self._opened.done():
            return
        if self._response.status is not None and 200 <= self._response.status <= 299:
            self._opened.set_result(None)
        else:
            self._opened.set_exception(NoConnection(f"no way through the proxy: {problem}", Cause.PROXY))
