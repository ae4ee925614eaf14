"""What operators ask for while consumers run (`shared.documents.skip`): the consumer reads it, acts, and writes its replies."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Final

from consumer.dispatcher import Dispatcher
from consumer.partitions.partition import Delivery, SkipState
from consumer.partitions.window import Window
from shared.documents.skip import Hand, Member, Request, Step, Table
from shared.errors import PublishFailed, TransportUnusable
from shared.logging import get_logger
from shared.transport.port import Table as Control
from shared.transport.port import Transport

_EVERY: Final = 2.0  # seconds
_OPEN_AGAIN: Final = 60.0  # seconds
_LAST_LOOK: Final = 2.0  # seconds, at the most

log = get_logger(__name__)


class ControlRequests:
    """`clock`: seconds since the epoch."""

    def __init__(self, dispatcher: Dispatcher, window: Window, clock: Callable[[], float] = time.time) -> None:
        self._dispatcher = dispatcher
        self._window = window
        self._clock = clock
        self._me = Member(id=secrets.token_hex(8), name=f"{socket.gethostname()}:{os.getpid()}")
        self._control: Control | None = None
        self._table = Table()
        #: By log id what we were asked to set aside, until its end is written down.
        self._hands: dict[str, list[Delivery]] = {}

    async def follow(self, transport: Transport) -> None:
        """Look every two seconds until cancelled. A log without a control table only costs the skips, and a line."""
        control = self._control = await self._open(transport)
        moved = self._dispatcher.skip_progress
        while True:
            await self.look(control)
            with suppress(TimeoutError):
                await asyncio.wait_for(moved.wait(), _EVERY)
            moved.clear()

    async def _open(self, transport: Transport) -> Control:
        said = ""
        while True:
            try:
                return await transport.control()
            except TransportUnusable as error:
                if str(error) != said:
                    log.warning("skips asked for by an operator are not seen; trying again every minute", reason=str(error))
                said = str(error)
            await asyncio.sleep(_OPEN_AGAIN)

    async def close(self) -> None:
        """Say what became of what we had in hand, within a bound. `follow` must have ended, and the partitions be gone."""
        if self._control is None:
            return
        try:
            if self._hands:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.look(self._control), _LAST_LOOK)
        finally:
            await self._control.close()

    async def look(self, control: Control) -> None:
        try:
            if await self._step(control):
                await self._step(control)
        except (PublishFailed, TransportUnusable) as error:
            log.warning("the control table cannot be read or written at the moment", reason=str(error))
            self._flag()  # without news, but what has expired is let go

    async def _step(self, control: Control) -> bool:
        """Whether to look again at once."""
        before, self._table = self._table, Table.of(await control.snapshot())
        self._name_what_is_left_alone(before)
        if not (self._table.requests or self._table.answers or self._hands):
            return False
        taken = self._flag()
        step = self._me.step(self._table, {log_id: self._hand(log_id) for log_id in self._hands}, self._clock())
        self._act(step)
        for key, text in step.writes.items():
            await (control.delete(key) if text is None else control.put(key, text))
        for request in taken:
            log.warning("a skip is taken: the event is set aside when it is free", log_id=request.log_id, by=request.by)
        if not step.writes:
            self._forget()
        return step.again

    def _name_what_is_left_alone(self, before: Table) -> None:
        """Each once: of what `before` had, that was said."""
        for key in sorted(self._table.unknown - before.unknown):
            log.warning("a skip of another version or form is ignored", key=key)
        for request in [one for one in self._table.requests.values() if one.id not in before.requests]:
            if not request.is_timely(now := self._clock()):
                ago = round(now - request.asked)
                log.warning(
                    "a skip has expired, or the clocks differ: ignored", log_id=request.log_id, by=request.by, asked_ago=ago
                )

    def _flag(self) -> list[Request]:
        """Keep what is asked for out of its turn, and give back what is not asked for any more. Returns what is new in hand."""
        wanted = {request.log_id: request for request in self._table.standing(self._clock())}
        for log_id in self._hands.keys() - wanted.keys():
            for delivery in self._hands[log_id]:
                if self._dispatcher.keep(delivery):
                    log.warning("a skip is withdrawn or has expired: the event goes on", log_id=log_id)
            self._hands[log_id] = [delivery for delivery in self._hands[log_id] if delivery.skip is not None]
        new = {}
        for delivery in self._found(wanted) if wanted else ():
            hand = self._hands.setdefault(delivery.log_id, [])
            if delivery not in hand:
                hand.append(delivery)
                new[delivery.log_id] = wanted[delivery.log_id]
            self._dispatcher.skip(delivery)
        return list(new.values())

    def _found(self, wanted: Collection[str]) -> list[Delivery]:
        live = [partition for partition in self._window.owned.values() if partition.live]
        return [delivery for one in live for delivery in one.pending.values() if delivery.log_id in wanted]

    def _hand(self, log_id: str) -> frozenset[Hand]:
        return frozenset(map(self._state, self._hands[log_id]))

    def _state(self, delivery: Delivery) -> Hand:
        partition = delivery.partition
        if partition.pending.get(delivery.record.offset) is not delivery:
            return Hand.DEAD if delivery.skip is SkipState.DEAD else Hand.DELIVERED
        if not partition.live:
            # A call that is still open may end with a 200 until the partition has gone.
            open_still = delivery.skip is SkipState.REQUESTED and self._window.owned.get(partition.number) is partition
            return Hand.WAITING if open_still else Hand.UNCERTAIN if delivery.skip is SkipState.WRITING else Hand.LOST
        return _HANDS[delivery.skip]

    def _act(self, step: Step) -> None:
        for log_id, reason in step.permits.items():
            for delivery in self._hands[log_id]:
                self._dispatcher.set_aside(delivery, reason)

    def _forget(self) -> None:
        """What has come to its end, and is written down."""
        needed = {request.log_id for request in self._table.requests.values()} | self._me.owes(self._table)
        for log_id in self._hands.keys() - needed:
            del self._hands[log_id]


_HANDS: Final = {
    None: Hand.LOST,
    SkipState.REQUESTED: Hand.WAITING,
    SkipState.WITHHELD: Hand.FREE,
    SkipState.WRITING: Hand.GOING,
    SkipState.DEAD: Hand.DEAD,
}
