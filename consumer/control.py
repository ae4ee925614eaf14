"""Events that operators want skipped while consumers run: this consumer reads their requests, acts, and writes its replies."""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Callable, Collection, Mapping
from typing import Final

from consumer.dispatcher import Dispatcher
from consumer.partitions.partition import Delivery, SkipState
from consumer.partitions.window import Window
from consumer.skip_protocol import CopyState, SkipParticipant
from shared.control import ControlReader
from shared.documents.skip import SkipDocuments, SkipRequest
from shared.logging import get_logger
from shared.transport.port import Table

_COPIES: Final = {
    None: CopyState.LOST,
    SkipState.REQUESTED: CopyState.WAITING,
    SkipState.WITHHELD: CopyState.WITHHELD,
    SkipState.WRITING: CopyState.WRITING,
    SkipState.DEAD: CopyState.DEAD,
}

log = get_logger(__name__)


class SkipRequests(ControlReader):
    """`clock`: seconds since the epoch."""

    def __init__(self, dispatcher: Dispatcher, window: Window, clock: Callable[[], float] = time.time) -> None:
        self._dispatcher = dispatcher
        self._window = window
        self._clock = clock
        self._me = SkipParticipant(id=secrets.token_hex(8), name=f"{socket.gethostname()}:{os.getpid()}")
        self._documents = SkipDocuments()
        #: By log id the events that this consumer was asked to set aside, until what became of them is written down.
        self._events: dict[str, list[Delivery]] = {}

    async def read(self, table: Table, documents: Mapping[str, bytes]) -> bool:
        before, self._documents = self._documents, SkipDocuments.parse(documents)
        self._log_ignored(before)
        if not (self._documents.requests or self._documents.replies or self._events):
            return False
        taken = self._withhold()
        copies = {log_id: frozenset(map(self._copy_state, events)) for log_id, events in self._events.items()}
        plan = self._me.plan(self._documents, copies, self._clock())
        for log_id, reason in plan.permits.items():
            for delivery in self._events[log_id]:
                self._dispatcher.set_aside(delivery, reason)
        for key, document in plan.writes.items():
            await (table.delete(key) if document is None else table.put(key, document))
        for request in taken:
            log.warning("a skip is taken: the event is set aside when it is free", log_id=request.log_id, by=request.by)
        if not plan.writes:
            self._forget()
        return plan.look_again

    def missed(self) -> None:
        self._withhold()  # by the old documents: what has expired goes on

    async def leave(self, table: Table) -> None:
        """Writes what became of the events; the partitions are gone."""
        if self._events and await self.read(table, await table.snapshot()):
            await self.read(table, await table.snapshot())

    def _log_ignored(self, before: SkipDocuments) -> None:
        """Each once: not what `before` had."""
        for key in sorted(self._documents.unknown - before.unknown):
            log.warning("a skip of another version or form is ignored", key=key)
        for request in [one for one in self._documents.requests.values() if one.id not in before.requests]:
            if not request.is_timely(now := self._clock()):
                ago = round(now - request.asked)
                log.warning(
                    "a skip has expired, or the clocks differ: ignored", log_id=request.log_id, by=request.by, asked_ago=ago
                )

    def _withhold(self) -> list[SkipRequest]:
        """Withholds what is asked for, and lets go on what is not asked for any more. Returns the requests newly taken."""
        wanted = {request.log_id: request for request in self._documents.active(self._clock())}
        for log_id in self._events.keys() - wanted.keys():
            for delivery in self._events[log_id]:
                if self._dispatcher.keep(delivery):
                    log.warning("a skip is withdrawn or has expired: the event goes on", log_id=log_id)
            self._events[log_id] = [delivery for delivery in self._events[log_id] if delivery.skip is not None]
        taken = {}
        for delivery in self._pending(wanted) if wanted else ():
            events = self._events.setdefault(delivery.log_id, [])
            if delivery not in events:
                events.append(delivery)
                taken[delivery.log_id] = wanted[delivery.log_id]
            self._dispatcher.skip(delivery)
        return list(taken.values())

    def _pending(self, log_ids: Collection[str]) -> list[Delivery]:
        live = [partition for partition in self._window.owned.values() if partition.live]
        return [delivery for partition in live for delivery in partition.pending.values() if delivery.log_id in log_ids]

    def _copy_state(self, delivery: Delivery) -> CopyState:
        partition = delivery.partition
        if partition.pending.get(delivery.record.offset) is not delivery:
            return CopyState.DEAD if delivery.skip is SkipState.DEAD else CopyState.DELIVERED
        if not partition.live:
            # A call that is still open may return 200 until the partition is gone.
            still_open = delivery.skip is SkipState.REQUESTED and self._window.owned.get(partition.number) is partition
            if still_open:
                return CopyState.WAITING
            return CopyState.UNKNOWN if delivery.skip is SkipState.WRITING else CopyState.LOST
        return _COPIES[delivery.skip]

    def _forget(self) -> None:
        """Forgets the events that no request is about, and about which nothing is left to write."""
        needed = {request.log_id for request in self._documents.requests.values()} | self._me.unfinished(self._documents)
        for log_id in self._events.keys() - needed:
            del self._events[log_id]
