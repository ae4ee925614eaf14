"""The far end of the webhook on one's own machine: takes POSTs, notes them, answers, and misbehaves when its script says so.

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
from simulator.faults import Fault
from simulator.http import Exchange, Server
from simulator.journal import Call, Delivery, Journal
from simulator.script import Script
from simulator.wire import Answer, Request

_OK = Answer(200, b"ok\n", (("Content-Type", "text/plain"),))
_USUAL = Fault(name="ok")
_NOT_A_POST = Fault(name="not a POST", change=lambda _: Answer(405, b"", (("Allow", "POST"),)))


class Receiver(Server):
    """Answers every POST, after `latency` seconds, with `answer`, and anything else with 405, unless the script knows better.

    `script` holds the faults (its rules see a `Call`), `journal` what happened. `keep_bodies` keeps bodies and headers in memory;
    `parse=False` spares the look into the body (no user, no type, no id but `webhook-id`): for benchmarks.
    `on_delivery` is told each line of the journal, before the answer goes out. `on_trouble` is told what kept a line from the
    journal's file or from `on_delivery`; without it that is raised.
    Raises `OSError` if the journal's file cannot be opened.
    """

    def __init__(
        self,
        *,
        latency: float = 0.0,
        answer: Answer = _OK,
        journal_file: Path | None = None,
        keep_bodies: bool = True,
        parse: bool = True,
        attempt_header: str = "webhook-attempt",
        seed: int = 0,
        on_delivery: Callable[[Delivery], None] | None = None,
        on_trouble: Callable[[Exception], None] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(self._handle, tls=tls)
        self.script: Script[Call] = Script(seed=seed)
        self.journal = Journal(journal_file)
        #: Seconds; may be changed at any time.
        self.latency = latency
        self._answer = answer
        self._keep_bodies = keep_bodies
        self._parse = parse
        self._attempt_header = attempt_header
        self._on_delivery = on_delivery
        self._on_trouble = on_trouble

    def _handle(self, request: Request, exchange: Exchange) -> Coroutine[None, None, None] | None:
        call = self._read(request)
        fault = self.script.choose(call) or (_USUAL if request.method == "POST" else _NOT_A_POST)
        if fault is _USUAL and not self.latency:
            self._note(call, request, verdict=fault.name, status=self._answer.status, whole=True)
            exchange.respond(self._answer)
            return None
        return self._take_time(call, request, exchange, fault)

    async def _take_time(self, call: Call, request: Request, exchange: Exchange, fault: Fault) -> None:
        answer = fault.change(self._answer)
        await self._wait(call, request, fault.delay + self.latency)
        self._note(call, request, verdict=fault.name, status=answer.status if fault.head else None, whole=fault.whole)
        await fault.play(exchange, answer)

    async def _wait(self, call: Call, request: Request, seconds: float) -> None:
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            self._note(call, request, verdict="gone", status=None, whole=False)
            raise

    def _note(self, call: Call, request: Request, *, verdict: str, status: int | None, whole: bool) -> None:
        try:
            delivery = self.journal.append(
                call,
                answered_ns=time.monotonic_ns(),
                verdict=verdict,
                status=status,
                whole=whole,
                body=request.body if self._keep_bodies else b"",
                headers=tuple(request.headers.items()) if self._keep_bodies else (),
            )
            if self._on_delivery:
                self._on_delivery(delivery)
        except (OSError, WebhooksError) as error:
            if self._on_trouble is None:
                raise
            self._on_trouble(error)

    def _read(self, request: Request) -> Call:
        arrived_ns = time.monotonic_ns()
        webhook_id = request.headers.get("webhook-id")
        event = _event_in(request.body) if self._parse else None
        return Call(
            arrived_ns=arrived_ns,
            method=request.method,
            path=request.path,
            webhook_id=webhook_id,
            attempt=request.headers.get(self._attempt_header),
            log_id=webhook_id or (event.log_id if event else ""),
            user_id=event.user_id if event else "",
            type=event.type if event else "",
            sha256=sha256(request.body).hexdigest(),
            length=len(request.body),
        )


def _event_in(body: bytes) -> Event | None:
    """The log entry that the body is; None if it is none, or several."""
    try:
        events = slice_page(b"[" + body + b"]")
    except PageInvalid:
        return None
    return events[0] if len(events) == 1 else None
