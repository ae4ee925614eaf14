"""A webhook receiver on your own machine: takes POSTs, records them, responds, and misbehaves when its script says so.

Everything runs in the event loop that called `start`. `script` and `journal` may be used from any thread.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Coroutine
from hashlib import sha256
from pathlib import Path

from shared.errors import PageInvalid, WebhooksError
from shared.event import Event, slice_page
from simulator.faults import HttpFault
from simulator.http import Exchange, Server
from simulator.journal import Journal, JournalEntry, ReceivedCall
from simulator.script import Script
from simulator.wire import HttpRequest, HttpResponse

_OK = HttpResponse(200, b"ok\n", (("Content-Type", "text/plain"),))
_USUAL = HttpFault(name="ok")
_NOT_A_POST = HttpFault(name="not a POST", change=lambda _: HttpResponse(405, b"", (("Allow", "POST"),)))


class Receiver(Server):
    """Sends `response` to every POST, after `latency` seconds, and 405 to anything else, unless the script has a fault for it.

    `script` holds the faults (its rules see a `ReceivedCall`), `journal` what happened. `keep_bodies` keeps bodies and headers in
    the journal's entries, `keep_entries` the entries; `parse=False` does not look into the body (no user, no type, no id but
    `webhook-id`): for benchmarks. `on_entry` gets each entry of the journal, before the response is sent. `on_error` gets the
    exception if the journal's file or `on_entry` fails; without it the exception is raised.
    Raises `OSError` if the journal's file cannot be opened.
    """

    def __init__(
        self,
        *,
        latency: float = 0.0,
        response: HttpResponse = _OK,
        journal_file: Path | None = None,
        keep_bodies: bool = True,
        keep_entries: bool = True,
        parse: bool = True,
        seed: int = 0,
        on_entry: Callable[[JournalEntry], None] | None = None,
        on_error: Callable[[Exception], None] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(self._handle, tls=tls)
        self.script: Script[ReceivedCall] = Script(seed=seed)
        self.journal = Journal(journal_file, keep_entries=keep_entries)
        #: Seconds; may be changed at any time.
        self.latency = latency
        self._response = response
        self._keep_bodies = keep_bodies
        self._parse = parse
        self._on_entry = on_entry
        self._on_error = on_error

    def _handle(self, request: HttpRequest, exchange: Exchange) -> Coroutine[None, None, None] | None:
        call = self._read(request)
        fault = self.script.choose(call) or (_USUAL if request.method == "POST" else _NOT_A_POST)
        if fault is _USUAL and not self.latency:
            self._record(call, request, verdict=fault.name, status=self._response.status, whole=True)
            exchange.respond(self._response)
            return None
        return self._respond_later(call, request, exchange, fault)

    async def _respond_later(self, call: ReceivedCall, request: HttpRequest, exchange: Exchange, fault: HttpFault) -> None:
        response = fault.change(self._response)
        await self._wait(call, request, fault.delay + self.latency)
        self._record(call, request, verdict=fault.name, status=response.status if fault.head else None, whole=fault.whole)
        await fault.play(exchange, response)

    async def _wait(self, call: ReceivedCall, request: HttpRequest, seconds: float) -> None:
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            self._record(call, request, verdict="gone", status=None, whole=False)
            raise

    def _record(self, call: ReceivedCall, request: HttpRequest, *, verdict: str, status: int | None, whole: bool) -> None:
        try:
            entry = self.journal.append(
                call,
                answered_ns=time.monotonic_ns(),
                verdict=verdict,
                status=status,
                whole=whole,
                body=request.body if self._keep_bodies else b"",
                headers=tuple(request.headers.items()) if self._keep_bodies else (),
            )
            if self._on_entry:
                self._on_entry(entry)
        except (OSError, WebhooksError) as error:
            if self._on_error is None:
                raise
            self._on_error(error)

    def _read(self, request: HttpRequest) -> ReceivedCall:
        arrived_ns = time.monotonic_ns()
        webhook_id = request.headers.get("webhook-id")
        event = _event_in(request.body) if self._parse else None
        return ReceivedCall(
            arrived_ns=arrived_ns,
            method=request.method,
            path=request.path,
            webhook_id=webhook_id,
            attempt=request.headers.get("webhook-attempt"),
            log_id=webhook_id or (event.log_id if event else ""),
            user_id=event.user_id if event else "",
            type=event.type if event else "",
            sha256=sha256(request.body).hexdigest(),
            length=len(request.body),
        )


def _event_in(body: bytes) -> Event | None:
    """Returns the log entry in the body; None if there is none, or several."""
    try:
        events = slice_page(b"[" + body + b"]")
    except PageInvalid:
        return None
    return events[0] if len(events) == 1 else None
