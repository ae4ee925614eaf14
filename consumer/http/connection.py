"""One connection to the webhook: one call at a time, by callbacks alone.

It owns its transport and its one timer. The timer is set again only when it fires, or when something is due sooner than it:
arming one for each call would cost more than parsing the response.
"""

from __future__ import annotations

import asyncio
from math import inf
from typing import Final, Protocol, cast

from consumer.http.errors import connection_lost
from consumer.http.response import Response
from consumer.webhook import Attempt, Call, Cause, OnResponse

#: Seconds that the rest of a response may take after its head. The status is known by then, so waiting only serves to use the
#: connection again; a receiver that drips its body must not hold a slot until the deadline.
BODY_TIMEOUT: Final = 1.0
#: Seconds without a call after which a connection is closed: firewalls drop idle ones without notice.
IDLE_LIMIT: Final = 30.0
#: Seconds from the deadline to the last look. A process that was frozen finds its deadline and the response at the same moment,
#: and uvloop runs timers before it reads: ended at the deadline itself, a call with a response would be made again.
_LAST_LOOK: Final = 0.01
#: Seconds without a call after which a connection that breaks during the next call was probably broken before it.
STALE: Final = 1.0

_CHUNK: Final = 64 * 1024  # bytes
_DELIVERED: Final = Attempt(200)


class ConnectionPool(Protocol):
    """What a connection reports to its pool."""

    def on_idle(self, connection: Connection) -> None:
        """The connection can take the next call."""

    def on_result(self, call: Call, on_response: OnResponse, attempt: Attempt) -> None:
        """The call has its result."""

    def on_stale(self, call: Call, on_response: OnResponse, deadline: float) -> None:
        """The connection was probably broken before the call: the call gets a second try on a new one."""

    def on_closed(self, connection: Connection) -> None:
        """The connection is closed."""


class Connection(asyncio.Protocol):
    """`timeout` in seconds is for messages only; `begin` gets the deadline."""

    transport: asyncio.Transport

    def __init__(self, pool: ConnectionPool, timeout: float, response: Response) -> None:
        self._pool = pool
        self._timeout = timeout
        self._loop = asyncio.get_running_loop()
        self._response = response
        self._call: Call | None = None
        self._on_response: OnResponse
        self._deadline = self._due = self._timer_at = inf
        self._timer: asyncio.TimerHandle | None = None
        self._idle_since = inf
        self._stale = self._looked = False

    def is_stale(self, now: float) -> bool:
        """Whether it has been idle for so long that a call on it may need a second try."""
        return now - self._idle_since >= STALE

    def begin(self, call: Call, on_response: OnResponse, request: bytes, now: float, deadline: float) -> None:
        """Send the request. `now` and `deadline` by the loop's clock."""
        self._call, self._on_response, self._deadline = call, on_response, deadline
        self._stale, self._looked = self.is_stale(now), False
        self._response.reset()
        self._wake_by(deadline)
        if self.transport.is_closing():  # a new connection on which the receiver spoke first or closed at once
            self._loop.call_soon(self.connection_lost, None)
        else:
            self._write(request)

    def cancel(self) -> None:
        """Close at once; a call under way gets no result."""
        self._call = None
        self.transport.abort()

    # Called by the transport.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._call is None:
            self.transport.abort()  # bytes without a request, such as 408 before the receiver closes: not the next response
            return
        response = self._response
        response.feed(data)
        if response.done:
            self._end(self._call, reusable=response.reusable)
        elif response.status is not None:
            self._wake_by(min(self._due, self._loop.time() + BODY_TIMEOUT))  # min: a dripping body must not move it

    def eof_received(self) -> None:
        self.transport.abort()  # not close(), which would first send the rest to a receiver that has closed

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._pool.on_closed(self)
        call, started = self._call, self._response.started
        if call is None:
            return
        if self._stale and not started:
            self._call = None
            self._pool.on_stale(call, self._on_response, self._deadline)
        else:
            self._end(call, connection_lost(exc, started=started), cause=self._suspicion())

    def _write(self, request: bytes) -> None:
        # In chunks: after one large write, TLS passes everything to the socket's transport and reports an empty buffer.
        for start in range(0, len(request), _CHUNK):
            self.transport.write(request[start : start + _CHUNK])

    def _suspicion(self) -> Cause | None:
        """Returns the cause of a connection that ended: most ports that speak TLS just close it on plain HTTP."""
        plain = self.transport.get_extra_info("ssl_object") is None
        return Cause.MAY_WANT_TLS if plain and self._idle_since == inf and not self._response.started else None

    def _end(
        self, call: Call, problem: str = "", *, reusable: bool = False, timed_out: bool = False, cause: Cause | None = None
    ) -> None:
        response = self._response
        if response.status == _DELIVERED.status:
            attempt = _DELIVERED
        else:
            attempt = response.attempt(Attempt(None, problem, timed_out=timed_out, cause=cause))
        self._call = None
        # A receiver that responds before it has the whole request may never read the rest of it.
        if reusable and not self.transport.get_write_buffer_size():
            self._idle_since = self._loop.time()
            self._wake_by(self._idle_since + IDLE_LIMIT)
            self._pool.on_idle(self)
        else:
            self.transport.abort()
        self._pool.on_result(call, self._on_response, attempt)

    def _wake_by(self, due: float) -> None:
        self._due = due
        if due < self._timer_at:
            if self._timer is not None:
                self._timer.cancel()
            self._timer_at = due
            self._timer = self._loop.call_at(due, self._wake)

    def _wake(self) -> None:
        self._timer, self._timer_at = None, inf
        if self._loop.time() < self._due:
            self._wake_by(self._due)
        elif self._call is None:
            self.transport.abort()
        elif not self._looked:
            self._looked = True
            self._wake_by(self._loop.time() + _LAST_LOOK)
        else:
            self._end(self._call, f"no response within {self._timeout:g} s", timed_out=True)
