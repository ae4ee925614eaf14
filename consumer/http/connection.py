"""One connection to the webhook: one call at a time, by callbacks alone.

It owns its transport and its one timer. The timer is set again only when it fires, or when something is due sooner than it:
arming one for each call would cost more than reading the answer.
"""

from __future__ import annotations

import asyncio
from math import inf
from typing import Final, Protocol, cast

from consumer.http.errors import broken
from consumer.http.response import Answer
from consumer.webhook import Attempt, Call, Cause, OnResponse

#: Seconds that the rest of an answer may take once its head is there. The status is known by then, so waiting only serves
#: to use the connection again; a receiver that drips its body must not hold a slot until the deadline.
BODY_PATIENCE: Final = 1.0
#: Seconds without a call after which a connection is closed: firewalls forget quiet ones without a word.
IDLE_LIMIT: Final = 30.0
#: Seconds from the deadline to the last look. A process that stood still meets its deadline and the answer at once, and uvloop
#: runs timers before it reads: ended at the deadline itself, a call that was answered meanwhile would be made again.
_LAST_LOOK: Final = 0.01
#: Seconds without a call after which a connection that dies under the next one was probably dead before.
STALE: Final = 1.0

_PIECE: Final = 64 * 1024  # bytes
_DELIVERED: Final = Attempt(200)


class Owner(Protocol):
    """The pool."""

    def idle(self, connection: Connection) -> None:
        """It can take the next call."""

    def again(self, call: Call, on_response: OnResponse, deadline: float) -> None:
        """The call deserves a second try on a new connection."""

    def over(self, call: Call, on_response: OnResponse, attempt: Attempt) -> None:
        """The call has its result."""

    def gone(self, connection: Connection) -> None:
        """The connection is closed."""


class Connection(asyncio.Protocol):
    """`timeout` in seconds is for the words only; `begin` gets the deadline."""

    transport: asyncio.Transport

    def __init__(self, owner: Owner, timeout: float) -> None:
        self._owner = owner
        self._timeout = timeout
        self._loop = asyncio.get_running_loop()
        self._answer = Answer()
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
        self._answer.expect()
        self._wake_by(deadline)
        if self.transport.is_closing():  # it was new, and the receiver spoke first or closed at once
            self._loop.call_soon(self.connection_lost, None)
        else:
            self._write(request)

    def cancel(self) -> None:
        """Close at once; a call under way has no result."""
        self._call = None
        self.transport.abort()

    # What the transport says.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._call is None:
            self.transport.abort()  # nobody asked, such as 408 before the receiver closes: taken for the next answer, it lies
            return
        answer = self._answer
        answer.feed(data)
        if answer.over:
            self._end(self._call, reusable=answer.reusable)
        elif answer.status is not None:
            self._wake_by(min(self._due, self._loop.time() + BODY_PATIENCE))  # of the due, so that a drip does not move it

    def eof_received(self) -> None:
        self.transport.abort()  # not close(), which would first send what is left to a receiver that has closed

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._owner.gone(self)
        call, answer = self._call, self._answer
        if call is None:
            return
        if self._stale and not answer.begun:
            self._call = None
            self._owner.again(call, self._on_response, self._deadline)
        else:
            self._end(call, broken(exc, begun=answer.begun), cause=self._suspicion())

    # How a call goes out, and how it ends.

    def _write(self, request: bytes) -> None:
        # In pieces: of one large write TLS would hand everything to the socket's transport and then say that nothing is left.
        for start in range(0, len(request), _PIECE):
            self.transport.write(request[start : start + _PIECE])

    def _suspicion(self) -> Cause | None:
        """Of a connection that ended: most ports that speak TLS close without a word when they are sent plain HTTP."""
        plain = self.transport.get_extra_info("ssl_object") is None
        return Cause.MAY_WANT_TLS if plain and self._idle_since == inf and not self._answer.begun else None

    def _end(
        self, call: Call, problem: str = "", *, reusable: bool = False, timed_out: bool = False, cause: Cause | None = None
    ) -> None:
        answer = self._answer
        if answer.status == _DELIVERED.status:
            attempt = _DELIVERED
        else:
            attempt = answer.attempt(Attempt(None, problem, timed_out=timed_out, cause=cause))
        self._call = None
        # A receiver that answers before it has the whole request may never read the rest of it.
        if reusable and not self.transport.get_write_buffer_size():
            self._idle_since = self._loop.time()
            self._wake_by(self._idle_since + IDLE_LIMIT)
            self._owner.idle(self)
        else:
            self.transport.abort()
        self._owner.over(call, self._on_response, attempt)

    # The timer.

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
            self._end(self._call, f"no answer within {self._timeout:g} s", timed_out=True)
