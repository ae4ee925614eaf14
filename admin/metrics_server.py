"""Serves `/metrics`, `/healthz` and `/readyz` beside the loops, so it must cost them next to nothing, whatever asks.

At most `_MOST` connections are open, each for `_TIME` seconds and one request; what comes beyond that is closed at once. A page
is made at most ten times a second.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final, NamedTuple

from shared.errors import EnvironmentUnusable
from shared.listening import why_not

_MOST: Final = 16
_TIME: Final = 5.0  # seconds
_HEAD: Final = 8192  # bytes
_AGE: Final = 0.1  # seconds
_METHODS: Final = (b"GET", b"HEAD")


class ServedPage(NamedTuple):
    status: HTTPStatus
    content_type: str
    body: bytes


Pages = Mapping[bytes, Callable[[], ServedPage]]


def text_page(status: HTTPStatus, text: str) -> ServedPage:
    return ServedPage(status, "text/plain; charset=utf-8", f"{text}\n".encode())


@asynccontextmanager
async def serving(pages: Pages, host: str, port: int) -> AsyncIterator[None]:
    """Serves the pages, by path, while the block runs. Raises `EnvironmentUnusable` if it cannot listen there."""
    pages_server = _PagesServer(pages)
    try:
        server = await asyncio.start_server(pages_server.on_connection, host, port, limit=_HEAD, backlog=_MOST)
    except (OSError, UnicodeError) as error:
        raise EnvironmentUnusable(
            f"METRICS_HOST={host} and METRICS_PORT={port}: cannot listen there ({why_not(error)}); choose another port or "
            "address, or remove METRICS_PORT"
        ) from None
    try:
        yield
    finally:
        server.close()
        await pages_server.close()


class _PagesServer:
    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._made: dict[bytes, tuple[float, ServedPage]] = {}
        self._open: set[asyncio.Task[None]] = set()

    def on_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Not a coroutine: whatever is beyond the bound is closed before anything is made for it."""
        if len(self._open) >= _MOST:
            writer.transport.abort()
            return
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def close(self) -> None:
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        await asyncio.sleep(0)  # transports close their sockets in the next round

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_TIME):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(self._response(head))
                await writer.drain()
                writer.write_eof()
                await reader.read(1)  # the client closes; closing first could cut off what it has not read yet
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # a client that is gone, slow or says too much
        finally:
            writer.transport.abort()

    def _response(self, head: bytes) -> bytes:
        method, _, rest = head.partition(b"\r\n")[0].partition(b" ")
        path = rest.partition(b" ")[0].partition(b"?")[0]
        if method not in _METHODS:
            page = text_page(HTTPStatus.METHOD_NOT_ALLOWED, "GET or HEAD")
        elif path in self._pages:
            page = self._page(path)
        else:
            page = text_page(HTTPStatus.NOT_FOUND, " ".join(known.decode() for known in self._pages))
        lines = [
            f"HTTP/1.1 {page.status.value} {page.status.phrase}",
            f"Content-Type: {page.content_type}",
            f"Content-Length: {len(page.body)}",
            "Connection: close",
        ]
        return "\r\n".join([*lines, "", ""]).encode() + (b"" if method == b"HEAD" else page.body)

    def _page(self, path: bytes) -> ServedPage:
        now = time.monotonic()
        made = self._made.get(path)
        if made is None or now - made[0] > _AGE:
            made = self._made[path] = now, self._pages[path]()
        return made[1]
