"""This process's own document in the control table, so that `status` and `show` see it; and those of processes that are gone."""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Final

from admin.actions.reports import totals
from consumer.worker import Worker
from producer.poller import Poller
from shared.control import ControlReader
from shared.documents.replica import EVERY, FORGOTTEN, ReplicaDocument, ReplicaRole, replicas
from shared.transport.port import Table

_SOONEST: Final = 1.0  # seconds between two documents, when something has changed
_AFTER_A_FAILURE: Final = 30.0  # seconds: without the right to write, each try makes a new client
_PRUNE_EVERY: Final = 60.0  # seconds
_RATES_OVER: Final = 60.0  # seconds


class ReplicaReporter(ControlReader):
    """`version`: of auth0-webhooks; `tenant` and `webhook` as they may be shown. `clock`: seconds since the epoch."""

    def __init__(
        self,
        loops: Sequence[Poller | Worker],
        *,
        role: ReplicaRole,
        version: str,
        tenant: str,
        webhook: str,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._loops = loops
        self._role = role
        self._version = version
        self._tenant = tenant
        self._webhook = webhook
        self._clock = clock
        self._steady = steady
        self.id = f"{socket.gethostname()[:100]}:{os.getpid()}:{secrets.token_hex(4)}"
        self._started = clock()
        #: Totals of the last minute, the oldest first.
        self._history: deque[tuple[float, Mapping[str, int]]] = deque([(steady(), totals(loops))])
        #: When the next document is written: whatever has changed, and when something that matters has.
        self._due, self._may, self._prune_at = -inf, -inf, -inf
        self._written: object = None

    async def read(self, table: Table, documents: Mapping[str, bytes]) -> bool:
        now = self._steady()
        self._remember(now)
        document = self.document()
        if now >= self._due or (now >= self._may and _matters(document) != self._written):
            self._due = self._may = now + _AFTER_A_FAILURE
            await table.put(document.key, document.encode())
            self._due, self._may, self._written = now + EVERY, now + _SOONEST, _matters(document)
        if now >= self._prune_at:
            self._prune_at = now + _PRUNE_EVERY
            await self._prune(table, documents)
        return False

    def missed(self) -> None:
        pass  # the next document comes later by itself

    async def leave(self, table: Table) -> None:
        await table.delete(self.document().key)

    def document(self) -> ReplicaDocument:
        """To be called in the event loop."""
        workers = [loop for loop in self._loops if isinstance(loop, Worker)]
        pollers = [loop for loop in self._loops if isinstance(loop, Poller)]
        return ReplicaDocument(
            id=self.id,
            role=self._role,
            version=self._version,
            started=self._started,
            seen=self._clock(),
            counts=totals(self._loops),
            rates=self._rates(),
            consumer=workers[0].report(self._webhook) if workers else None,
            poller=pollers[0].report(self._tenant) if pollers else None,
        )

    def _remember(self, now: float) -> None:
        self._history.append((now, totals(self._loops)))
        while len(self._history) > 2 and self._history[1][0] <= now - _RATES_OVER:
            self._history.popleft()

    def _rates(self) -> Mapping[str, float]:
        (began, before), (ended, after) = self._history[0], self._history[-1]
        seconds = ended - began
        return {name: round((after[name] - before[name]) / seconds, 3) if seconds > 0 else 0.0 for name in after}

    async def _prune(self, table: Table, documents: Mapping[str, bytes]) -> None:
        """Removes what processes left behind that were killed long ago; any replica does."""
        for document in replicas(documents).values():
            if self._clock() - document.seen > FORGOTTEN:
                await table.delete(document.key)


def _matters(document: ReplicaDocument) -> object:
    """Returns what a reader wants to know at once when it changes."""
    consumer, poller = document.consumer, document.poller
    return (
        consumer
        and (consumer.paused, consumer.desired, consumer.share, consumer.partitions, consumer.breaker.state, consumer.rules),
        poller and (poller.leading, poller.last_error),
    )
