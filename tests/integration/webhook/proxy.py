"""A forward proxy for tests: records the heads it gets, and forwards everything."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from tests.integration.webhook.servers import raw_server


class Proxy:
    """Sends `response` to CONNECT; opens the tunnel after a 200 only."""

    def __init__(self, response: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n") -> None:
        self.heads: list[str] = []
        self.address = ""
        self._response = response

    async def _play(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head.decode())
        method, target, _ = head.split(b" ", 2)
        if method == b"CONNECT":
            writer.write(self._response)
            await writer.drain()
            if b" 200 " not in self._response:
                return
            address, first = target, b""
        else:
            address, first = target.split(b"/")[2], head
        host, _, port = address.decode().rpartition(":")
        await self._join(host, int(port), first, reader, writer)

    async def _join(self, host: str, port: int, first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(host, port)
        far_writer.write(first)
        ways = [asyncio.create_task(_copy(reader, far_writer)), asyncio.create_task(_copy(far_reader, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            far_writer.transport.abort()
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()


@asynccontextmanager
async def running(proxy: Proxy, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Proxy]:
    async with AsyncExitStack() as stack:
        proxy.address = await stack.enter_async_context(raw_server(proxy._play, tls=tls))
        yield proxy
