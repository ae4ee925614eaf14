"""The webhook call, our own HTTP/1.1 client: a pool of kept-alive connections, driven by callbacks.

A call on an open connection makes no task, no future and no timer; only opening a connection has a task. The worker bounds the
open calls, so the pool has no limit of its own. Everything happens in the event loop that the client was made in.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from typing import Protocol

from consumer.http.connect import Direct, Route
from consumer.http.connection import Connection, Owner
from consumer.http.errors import NoConnection, NoDescriptor
from consumer.http.proxy import Proxied
from consumer.http.request import RequestForm, Sign
from consumer.http.url import Origin, login_of, target_of
from consumer.webhook import Attempt, Call, OnResponse, Webhook


class _Cancellable(Protocol):
    """Where a call is: on a connection, in the task that opens one, or in a handle of the loop."""

    def cancel(self) -> object: ...


class HttpWebhook(Webhook, Owner):
    """POSTs the event's bytes to `url`, with `webhook-id` and `webhook-attempt` behind the `headers` of every request.

    `timeout` bounds the whole attempt, `connect_timeout` its connection with TLS, in seconds. A client certificate and private
    authorities come in through `tls`. `proxy` is a URL, user and password may stand in it. `allow_private=False` refuses private
    and loopback addresses; link-local and metadata addresses are refused always. `one_request`: no call is ever sent twice, since
    its receiver counts requests; a connection that may have died while it was idle is closed instead of tried.

    Raises `ValueError` for a URL or header that is none.
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
    ) -> None:
        target = Origin.of(url)
        self._route: Route
        if proxy:
            self._route = Proxied(target, proxy=proxy, tls=tls, allow_private=allow_private)
        else:
            self._route = Direct(target, tls=tls, allow_private=allow_private)
        self._form = _form(url, target, headers, proxy, sign)
        self._timeout = timeout
        self._connect_timeout = connect_timeout
        self._one_request = one_request
        self._loop = asyncio.get_running_loop()
        self._calls: dict[Call, _Cancellable] = {}
        self._connections: set[Connection] = set()
        #: In the order of their last calls; the newest is used first, so that those too many grow old and close.
        self._idle: dict[Connection, None] = {}
        self._opening: set[asyncio.Task[None]] = set()
        self._quiet = asyncio.Event()

    # The port.

    def send(self, call: Call, on_response: OnResponse) -> None:
        now = self._loop.time()
        try:
            request = self._form.fill(call)
        except ValueError:
            attempt = Attempt(None, "its log id cannot stand in a header")
            self._calls[call] = self._loop.call_soon(self.over, call, on_response, attempt)
            return
        while self._idle:
            connection, _ = self._idle.popitem()
            if self._one_request and connection.is_stale(now):
                connection.cancel()
            elif not connection.transport.is_closing():
                self._calls[call] = connection
                connection.begin(call, on_response, request, now, now + self._timeout)
                return
        self._open(call, on_response, request, now + self._timeout)

    def cancel(self, call: Call) -> None:
        self._calls.pop(call).cancel()

    async def close(self) -> None:
        # All of it before the first await: no call may land while we wait.
        ends: tuple[_Cancellable, ...] = (*self._calls.values(), *self._connections)
        self._calls.clear()
        self._quiet.clear()
        for one in ends:
            one.cancel()
        await asyncio.gather(*self._opening, return_exceptions=True)
        if self._connections:
            await self._quiet.wait()

    # What its connections say.

    def idle(self, connection: Connection) -> None:
        self._idle[connection] = None

    def again(self, call: Call, on_response: OnResponse, deadline: float) -> None:
        self._open(call, on_response, self._form.fill(call), deadline)

    def over(self, call: Call, on_response: OnResponse, attempt: Attempt) -> None:
        del self._calls[call]
        on_response(call, attempt)

    def gone(self, connection: Connection) -> None:
        self._idle.pop(connection, None)
        self._connections.discard(connection)
        if not self._connections:
            self._quiet.set()

    # A new connection.

    def _open(self, call: Call, on_response: OnResponse, request: bytes, deadline: float) -> None:
        task = self._loop.create_task(self._begin(call, on_response, request, deadline))
        self._calls[call] = task
        self._opening.add(task)
        task.add_done_callback(self._opened)

    def _opened(self, task: asyncio.Task[None]) -> None:
        self._opening.discard(task)
        if not task.cancelled():
            task.result()  # a mistake of ours: raised here it reaches the loop's exception handler, in a task it would be unseen

    async def _begin(self, call: Call, on_response: OnResponse, request: bytes, deadline: float) -> None:
        patience = min(deadline - self._loop.time(), self._connect_timeout)
        try:
            connection = await self._route.open(self._connection, self._loop.time() + patience)
        except NoConnection as problem:
            sent = not isinstance(problem, NoDescriptor)
            attempt = Attempt(None, str(problem), sent=sent, cause=problem.cause)
        except TimeoutError:
            attempt = Attempt(None, f"no connection within {patience:.3g} s", timed_out=True)
        except Exception as error:  # noqa: BLE001  a library's surprise costs this attempt: a call never stays open
            attempt = Attempt(None, f"no connection: {type(error).__name__}")
        else:
            self._connections.add(connection)
            self._calls[call] = connection
            connection.begin(call, on_response, request, self._loop.time(), deadline)
            return
        # From the loop, like every other result: what `on_response` raises must not end unseen in a task.
        self._calls[call] = self._loop.call_soon(self.over, call, on_response, attempt)

    def _connection(self) -> Connection:
        return Connection(self, self._timeout)


def _form(url: str, target: Origin, headers: Mapping[str, str], proxy: str | None, sign: Sign | None) -> RequestForm:
    path = target_of(url)
    if proxy and not target.secure:
        path = f"http://{target.header}{path}"
        headers = {**headers, "Proxy-Authorization": login_of(proxy)} if login_of(proxy) else headers
    return RequestForm(target=path, host=target.header, headers=headers, sign=sign)
