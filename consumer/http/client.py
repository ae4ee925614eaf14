"""Our own HTTP/1.1 client for the webhook: a pool of kept-alive connections, driven by callbacks.

A call on an open connection makes no task, no future and no timer; only opening a connection is a task. The worker bounds the
open calls, so the pool has no limit of its own. Everything happens in the event loop that the client was made in.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from typing import Protocol

from consumer.http.connect import DirectRoute, Route
from consumer.http.connection import Connection, ConnectionPool
from consumer.http.errors import NoConnection, NoDescriptor
from consumer.http.proxy import ProxyRoute
from consumer.http.request import RequestTemplate, Sign
from consumer.http.response import Response
from consumer.http.url import Url
from consumer.webhook import Attempt, Call, Failure, OnResponse, Webhook


class _Cancellable(Protocol):
    """What a call waits for: a connection, the task that opens one, or a handle of the loop."""

    def cancel(self) -> object: ...


class HttpWebhook(Webhook, ConnectionPool):
    """POSTs the event's bytes to `url`, with `webhook-id` and `webhook-attempt` after the `headers` of every request.

    `timeout` bounds the whole attempt, `connect_timeout` the connection and its TLS handshake, in seconds. `tls` holds a client
    certificate and private authorities. `proxy` is a URL that may contain user and password. `allow_private=False` refuses
    private and loopback addresses; link-local and metadata addresses are refused always. `one_request`: no call is ever sent
    twice, because the receiver counts requests; a connection that may have broken while it was idle is closed instead of tried.
    `new_response` makes the parser of a connection.

    Raises `ValueError` for an invalid URL or header.
    """

    def __init__(
        self,
        *,
        url: str,
        headers: Mapping[str, str],
        timeout: float,
        connect_timeout: float,
        tls: ssl.SSLContext | None = None,
        proxy: str | None = None,
        allow_private: bool = True,
        sign: Sign | None = None,
        one_request: bool = False,
        new_response: Callable[[], Response] = Response,
    ) -> None:
        webhook = Url.of(url)
        target = webhook.target
        self._route: Route
        if proxy:
            proxy_url = Url.of(proxy)
            self._route = ProxyRoute(webhook, proxy=proxy_url, tls=tls, allow_private=allow_private)
            if not webhook.secure:
                target = f"http://{webhook.host_header}{target}"
                if proxy_url.basic_login:
                    headers = {**headers, "Proxy-Authorization": proxy_url.basic_login}
        else:
            self._route = DirectRoute(webhook, tls=tls, allow_private=allow_private)
        self._template = RequestTemplate(target=target, host=webhook.host_header, headers=headers, sign=sign)
        self._timeout = timeout
        self._connect_timeout = connect_timeout
        self._one_request = one_request
        self._new_response = new_response
        self._loop = asyncio.get_running_loop()
        self._calls: dict[Call, _Cancellable] = {}
        self._connections: set[Connection] = set()
        #: In the order of their last calls; the newest is used first, so that surplus ones reach their idle limit and close.
        self._idle: dict[Connection, None] = {}
        self._opening: set[asyncio.Task[None]] = set()
        self._all_closed = asyncio.Event()

    def send(self, call: Call, on_response: OnResponse) -> None:
        now = self._loop.time()
        try:
            request = self._template.fill(call)
        except ValueError:
            attempt = Attempt(None, "its log id cannot stand in a header", failure=Failure.CONNECT)
            self._calls[call] = self._loop.call_soon(self.on_result, call, on_response, attempt)
            return
        while self._idle:
            connection, _ = self._idle.popitem()
            if self._one_request and connection.is_stale(now):
                connection.cancel()
            elif not connection.transport.is_closing():
                self._calls[call] = connection
                connection.begin(call, on_response, request, now, now + self._timeout)
                return
        self._send_on_new(call, on_response, request, now + self._timeout)

    def cancel(self, call: Call) -> bool:
        one = self._calls.pop(call)
        one.cancel()
        return isinstance(one, Connection)

    async def close(self) -> None:
        # All of it before the first await: no call may get a result while we wait.
        open_ones: tuple[_Cancellable, ...] = (*self._calls.values(), *self._connections)
        self._calls.clear()
        self._all_closed.clear()
        for one in open_ones:
            one.cancel()
        await asyncio.gather(*self._opening, return_exceptions=True)
        if self._connections:
            await self._all_closed.wait()

    # Called by the connections.

    def on_idle(self, connection: Connection) -> None:
        self._idle[connection] = None

    def on_stale(self, call: Call, on_response: OnResponse, deadline: float) -> None:
        self._send_on_new(call, on_response, self._template.fill(call), deadline)

    def on_result(self, call: Call, on_response: OnResponse, attempt: Attempt) -> None:
        del self._calls[call]
        on_response(call, attempt)

    def on_closed(self, connection: Connection) -> None:
        self._idle.pop(connection, None)
        self._connections.discard(connection)
        if not self._connections:
            self._all_closed.set()

    def _send_on_new(self, call: Call, on_response: OnResponse, request: bytes, deadline: float) -> None:
        task = self._loop.create_task(self._connect_and_send(call, on_response, request, deadline))
        self._calls[call] = task
        self._opening.add(task)
        task.add_done_callback(self._on_opened)

    def _on_opened(self, task: asyncio.Task[None]) -> None:
        self._opening.discard(task)
        if not task.cancelled():
            task.result()  # a bug: raised here it reaches the loop's exception handler, in the task it would be lost

    async def _connect_and_send(self, call: Call, on_response: OnResponse, request: bytes, deadline: float) -> None:
        allowed = min(deadline - self._loop.time(), self._connect_timeout)
        due = self._loop.time() + allowed
        try:
            connection = await self._route.open(self._new_connection, due)
        except NoConnection as failure:
            sent = not isinstance(failure, NoDescriptor)
            attempt = Attempt(None, str(failure), sent=sent, cause=failure.cause, failure=failure.failure)
        except TimeoutError:
            attempt = _too_late(allowed)
        except Exception as error:  # noqa: BLE001  whatever a library raises costs this attempt: a call never stays open
            attempt = Attempt(None, f"no connection: {type(error).__name__}", failure=Failure.CONNECT)
        else:
            self._connections.add(connection)
            if (now := self._loop.time()) < due:
                self._calls[call] = connection
                connection.begin(call, on_response, request, now, deadline)
                return
            # It opened while the process was frozen: by now another member may own the event.
            connection.cancel()
            attempt = _too_late(allowed)
        # From the loop, like every other result: an exception of `on_response` must not be lost in a task.
        self._calls[call] = self._loop.call_soon(self.on_result, call, on_response, attempt)

    def _new_connection(self) -> Connection:
        return Connection(self, self._timeout, self._new_response())


def _too_late(allowed: float) -> Attempt:
    return Attempt(None, f"no connection within {allowed:.3g} s", timed_out=True, failure=Failure.CONNECT)
