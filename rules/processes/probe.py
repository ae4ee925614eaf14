"""Proves at the start of a runner that what rules need works under the limits of a rule process: fetch, http, require."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

_RESPONSE: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"


@asynccontextmanager
async def probe_server() -> AsyncIterator[str]:
    """Serves one URL on the loopback, for the time of the block. Yields it."""
    server = await asyncio.start_server(_respond, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


async def _respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(_RESPONSE)
        await writer.drain()
    except (OSError, EOFError, asyncio.LimitOverrunError):
        pass  # the process will say what it missed
    finally:
        writer.close()
