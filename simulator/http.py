"""A small HTTP/1.1 server for the loopback, on httptools: the one place that knows it.

A handler gets the request and its `Exchange`, and responds or misbehaves, byte by byte if it wants. Everything runs in the event
loop that called `start`. A handler that does not wait is a plain function (no task is made, which makes it fast enough to
receive a benchmark); else it is a coroutine, cancelled when its client closes the connection or the server stops.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import time
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Final, cast

import httptools

from simulator.open_calls import OpenCalls
from simulator.wire import HttpRequest, HttpResponse, encode

Handler = Callable[[HttpRequest, "Exchange"], Coroutine[Any, Any, None] | None]

_LINGER_0: Final = struct.pack("ii", 1, 0)
#: Bytes of a request: above any batch that the product sends, and bounded for a client that sends without end.
_MAX_HEAD: Final = 64 * 1024
_MAX_BODY: Final = 64 * 1024 * 1024
#: Seconds for a client to read why its request is rejected.
_LINGER: Final = 1.0


class Exchange:
    """The server's side of one request: respond to it, or misbehave.

    If a handler returns without calling `respond`, the client cannot tell where the response ends: the connection is closed.
    """

    __slots__ = ("_connection", "request", "responded")

    def __init__(self, connection: _ServerConnection, request: HttpRequest) -> None:
        self._connection = connection
        self.request = request
        #: A whole response was sent by `respond`.
        self.responded = False

    def respond(self, response: HttpResponse) -> None:
        """Send a whole response; the connection stays open if the client wants that."""
        head_only = self.request.method == "HEAD"
        self.send(encode(response, close=not self.request.keep_alive, head_only=head_only))
        self.responded = True

    def send(self, data: bytes) -> None:
        """Send raw bytes."""
        self._connection.transport.write(data)

    async def drain(self) -> None:
        """Wait until the client has taken most of what was sent."""
        await self._connection.writable.wait()

    def close(self) -> None:
        """End the connection in order, after what was sent."""
        self._connection.transport.close()

    def reset(self) -> None:
        """End the connection by a TCP reset. What was sent a moment ago may get lost with it."""
        transport = self._connection.transport
        # Without this, abort() sends a FIN like any other end.
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_0)
        transport.abort()


class Server:
    """Listens after `start`; may be started again after `stop`."""

    def __init__(self, handler: Handler, *, tls: ssl.SSLContext | None = None) -> None:
        self.handler = handler
        self.open_calls = OpenCalls()
        self.connections: set[_ServerConnection] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self._tls = tls
        self._listener: asyncio.Server | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._address = ("127.0.0.1", 0)

    @property
    def port(self) -> int:
        """The port it listens on; after `stop` the last one."""
        return self._address[1]

    @property
    def url(self) -> str:
        """Scheme, host and port, without a slash at the end."""
        host, port = self._address
        scheme = "https" if self._tls else "http"
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop that called `start`. Raises `RuntimeError` before the first start."""
        if self._loop is None:
            raise RuntimeError("the server was never started")
        return self._loop

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen; port 0 means a free one. Raises `OSError` if the port is taken."""
        self._loop = asyncio.get_running_loop()
        listener = await self._loop.create_server(lambda: _ServerConnection(self), host, port, ssl=self._tls, backlog=1024)
        self._listener = listener
        self._address = listener.sockets[0].getsockname()[:2]

    async def stop(self) -> None:
        """Stop listening, end every handler and connection. Idempotent."""
        listener, self._listener = self._listener, None
        if listener is None:
            return
        listener.close()
        tasks = tuple(self.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # Last: a handler that is cancelled may still use its connection.
        for connection in tuple(self.connections):
            connection.transport.abort()
        await listener.wait_closed()


class _ServerConnection(asyncio.Protocol):
    """Parses one connection, and passes the requests to the handler one after the other."""

    transport: asyncio.Transport

    def __init__(self, server: Server) -> None:
        self._server = server
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[HttpRequest] = deque()
        self._exchange: Exchange | None = None
        self._task: asyncio.Task[None] | None = None
        self._begun_ns: int | None = None
        self._target = b""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._body_size = 0
        self._rejected = False
        self._in_head = True
        #: Bytes of a head that came without its end.
        self._head_size = 0
        self.writable = asyncio.Event()
        self.writable.set()

    # Called by the transport.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._server.connections.discard(self)
        self._waiting.clear()
        self._count_end(given_up=True)
        self.writable.set()
        if self._task:
            self._task.cancel()

    def eof_received(self) -> None:
        # A client that closed, or half closed, waits for no response; the transport then closes itself.
        self._count_end(given_up=True)

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    def data_received(self, data: bytes) -> None:
        if self._rejected or self.transport.is_closing():
            return
        self._head_size += len(data)  # a callback resets it if a head ends within `data`
        try:
            self._parser.feed_data(data)
            self._require_bounds()
        except httptools.HttpParserUpgrade:
            pass  # an offer (h2c, websocket) that we ignore; the request itself is complete
        except httptools.HttpParserError:
            self.transport.write(encode(HttpResponse(400, b"not HTTP/1.1\n"), close=True))
            self.transport.close()
        # Not in a callback of the parser, which would report an error of the handler as one of the client.
        self._serve()

    def _require_bounds(self) -> None:
        if self._in_head and self._head_size > _MAX_HEAD:
            self._reject(431, b"too many bytes of headers\n")
        elif self._body_size > _MAX_BODY:
            self._reject(413, b"too large\n")

    def _reject(self, status: int, body: bytes) -> None:
        # Closed while it still sends, the client would get a reset, and lose the response.
        self._rejected = True
        self.transport.write(encode(HttpResponse(status, body), close=True))
        self._server.loop.call_later(_LINGER, self.transport.close)

    # Called by the parser.

    def on_message_begin(self) -> None:
        self._target, self._headers = b"", {}
        self._body, self._body_size = [], 0

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        self._headers[key] = f"{self._headers[key]}, {text}" if key in self._headers else text

    def on_headers_complete(self) -> None:
        self._in_head, self._head_size = False, 0
        if self._headers.get("expect", "").lower() == "100-continue":
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._body_size += len(body)
        if self._body_size <= _MAX_BODY:
            self._body.append(body)

    def on_message_complete(self) -> None:
        method, target = self._parser.get_method().decode("latin-1"), self._target.decode("latin-1")
        if self._body_size <= _MAX_BODY:
            request = HttpRequest(method, target, self._headers, b"".join(self._body), self._parser.should_keep_alive())
            self._waiting.append(request)
        self._in_head, self._head_size = True, 0

    # One request at a time.

    def _serve(self) -> None:
        while self._waiting and self._exchange is None:
            request = self._waiting.popleft()
            self._exchange = Exchange(self, request)
            self._begun_ns = self._server.open_calls.begin(time.monotonic_ns())
            work = self._server.handler(request, self._exchange)
            if work is None:
                self._finish()
            else:
                self._task = self._server.loop.create_task(work)
                self._server.tasks.add(self._task)
                self._task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._server.tasks.discard(task)
        self._task = None
        if not task.cancelled() and (error := task.exception()):
            self._server.loop.call_exception_handler({"message": "a handler of the simulator failed", "exception": error})
        self._finish()
        self._serve()

    def _finish(self) -> None:
        self._count_end(given_up=False)
        exchange, self._exchange = self._exchange, None
        if exchange is None or not exchange.responded or not exchange.request.keep_alive:
            self.transport.close()

    def _count_end(self, *, given_up: bool) -> None:
        if self._begun_ns is not None:
            self._server.open_calls.end(self._begun_ns, time.monotonic_ns(), given_up=given_up)
            self._begun_ns = None
