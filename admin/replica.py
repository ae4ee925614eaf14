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
from shared.documents.replica import EVERY, FORGOTTEN, PREFIX, STALE, ReplicaDocument, ReplicaRole, replicas
from shared.transport.port import Table

_SOONEST: Final = 1.0  # seconds between two documents, when something has changed
_AFTER_A_FAILURE: Final = 30.0  # seconds: without the right to write, each try makes a new client
_PRUNE_EVERY: Final = 60.0  # seconds
_PRUNED_AT_ONCE: Final = 50  # documents: each is a write, and the desired state is looked at in between
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
        group: str = "",
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._loops = loops
        self._role = role
        self._version = version
        self._tenant = tenant
        self._webhook = webhook
        self._group = group
        self._clock = clock
        self._steady = steady
        self.id = f"{socket.gethostname()[:100]}:{os.getpid()}:{secrets.token_hex(4)}"
        self._started = clock()
        #: Totals of the last minute, the oldest first.
        self._history: deque[tuple[float, Mapping[str, int]]] = deque([(steady(), totals(loops))])
        #: When the next document is written: whatever has changed, and when something that matters has.
        self._due, self._may, self._prune_at = -inf, -inf, -inf
        self._written: object = None
        #: What other processes wrote, and since when it stands there as it is, as far as this process could see.
        self._standing: dict[str, tuple[bytes, float]] = {}
        self._looked = -inf

    async def read(self, table: Table, documents: Mapping[str, bytes]) -> bool:
        now = self._steady()
        self._remember(now)
        self._watch(documents, now)
        document = self.document()
        if now >= self._due or (now >= self._may and _matters(document) != self._written):
            self._due = self._may = now + _AFTER_A_FAILURE
            await table.put(document.key, document.encode())
            self._due, self._may, self._written = now + EVERY, now + _SOONEST, _matters(document)
        if now >= self._prune_at:
            self._prune_at = now + _PRUNE_EVERY
            for key in self._left_behind(documents, now)[:_PRUNED_AT_ONCE]:
                await table.delete(key)
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
            consumer=workers[0].report(self._webhook, self._group) if workers else None,
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

    def _watch(self, documents: Mapping[str, bytes], now: float) -> None:
        # After an outage, or a sleep of this machine, the others have had no time to write.
        before = self._standing if now - self._looked < STALE else {}
        self._looked = now
        self._standing = {
            key: before[key] if key in before and before[key][0] == text else (text, now)
            for key, text in documents.items()
            if key.startswith(PREFIX)
        }

    def _left_behind(self, documents: Mapping[str, bytes], now: float) -> list[str]:
        """Returns the keys of processes that were killed long ago: any replica removes them.

        By their own clock; and, whatever clocks or texts say, what has stood there unchanged for as long.
        """
        old = {one.key for one in replicas(documents).values() if self._clock() - one.seen > FORGOTTEN}
        return [key for key, (_, since) in self._standing.items() if key in old or now - since > FORGOTTEN]


def _matters(document: ReplicaDocument) -> object:
    """Returns what a reader wants to know at once when it changes."""
    consumer, poller = document.consumer, document.poller
    return (
        consumer
        and (consumer.paused, consumer.desired, consumer.share, consumer.partitions, consumer.breaker.state, consumer.rules),
        poller and (poller.leading, poller.last_error),
    )
