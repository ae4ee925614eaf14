"""Receivers for a test: the simulator's, and a server that can misbehave before it has read a request."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from simulator.receiver import Receiver
from simulator.wire import HttpResponse

Play = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def raw_server(play: Play, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Yields its host and port. A connection is closed when its `play` ends."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await play(reader, writer)
        writer.transport.abort()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", ssl=tls)
    host, port = server.sockets[0].getsockname()
    try:
        yield f"{host}:{port}"
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks)
        await server.wait_closed()


@asynccontextmanager
async def receiving(
    *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None, response: HttpResponse | None = None
) -> AsyncIterator[Receiver]:
    receiver = Receiver(tls=tls, response=response) if response else Receiver(tls=tls)
    await receiver.start(host)
    try:
        yield receiver
    finally:  # uvloop waits endlessly for a server that was not stopped
        await receiver.stop()
