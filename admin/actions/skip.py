"""Sets a blocking event aside while consumers run: asks for it, waits for the consumer that has taken it, withdraws in time.

`shared.documents.skip` says why what is returned here is true.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from shared.documents import dead_letter
from shared.documents.skip import FINAL, SKEW, SkipDocuments, SkipReply, SkipRequest, SkipStatus
from shared.errors import PublishFailed, TransportUnusable
from shared.transport.port import Table, Transport
from shared.waiting import stopped_within

_LOOK_EVERY: Final = 0.5  # seconds
#: Seconds within which every consumer looks at the table, while all is well.
_REACH: Final = 5.0
#: Seconds that a consumer gets to reply what became of an event that it was setting aside when the request was withdrawn.
_LAST_REPLY: Final = 10.0


class SkipOutcome(Enum):
    SET_ASIDE = auto()
    #: It was a dead letter before, and no consumer has taken it.
    BEFORE = auto()
    #: A consumer had taken it and received the 200 before it could be set aside.
    DELIVERED = auto()
    #: A consumer had taken it, and it was not free in time. Nothing was done, and nothing will be.
    WITHDRAWN = auto()
    #: No consumer has taken it. Nothing was done, and nothing will be.
    NOT_FOUND = auto()
    #: A consumer was setting it aside, and did not reply whether it has.
    UNKNOWN = auto()
    #: The log did not take the withdrawal, or could not be read after it: the request may be acted on until it expires.
    NOT_WITHDRAWN = auto()


#: What these become where there is a dead letter that was not there before we asked.
_IF_DEAD: Final = {
    SkipOutcome.UNKNOWN: SkipOutcome.SET_ASIDE,
    SkipOutcome.NOT_WITHDRAWN: SkipOutcome.SET_ASIDE,
    SkipOutcome.NOT_FOUND: SkipOutcome.BEFORE,  # by another one's request
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SkipReport:
    outcome: SkipOutcome
    #: Those that had taken it.
    consumers: tuple[str, ...]
    #: When the request expires by itself, in seconds since the epoch.
    until: float
    #: Why it could not be withdrawn.
    error: str


async def skip(
    transport: Transport,
    log_id: str,
    *,
    by: str,
    reason: str,
    within: float,
    stop: asyncio.Event,
    clock: Callable[[], float] = time.time,
) -> SkipReport:
    """Asks for it, and withdraws after `within` seconds, or when `stop` is set. `clock`: seconds since the epoch.

    Raises `TransportUnusable` and `PublishFailed`; then nothing was done.
    """
    dead_letters, control = await transport.dead_letters(), await transport.control()
    try:
        before = await _is_dead(dead_letters, log_id)
        asked = clock()
        request = SkipRequest(
            id=uuid.uuid4().hex, log_id=log_id, by=by, why=reason, asked=asked, until=asked + within + _LAST_REPLY + SKEW
        )
        operator = _Operator(control, request, clock)
        outcome = await operator.ask_and_withdraw(min(within, _REACH) if before else within, stop)
        if outcome is SkipOutcome.NOT_FOUND and before:
            outcome = SkipOutcome.BEFORE
        elif outcome in _IF_DEAD and not before:
            with suppress(TransportUnusable):
                dead = await _is_dead(dead_letters, log_id)
                outcome = _IF_DEAD[outcome] if dead else outcome
        return SkipReport(outcome=outcome, consumers=operator.consumers, until=request.until, error=operator.error)
    finally:
        await dead_letters.close()
        await control.close()


async def _is_dead(dead_letters: Table, log_id: str) -> bool:
    return any([found.log_id == log_id async for found in dead_letter.scan(dead_letters)])


class _Operator:
    """One request, from writing it to withdrawing it."""

    def __init__(self, control: Table, request: SkipRequest, clock: Callable[[], float]) -> None:
        self._control = control
        self._request = request
        self._clock = clock
        #: The newest of each consumer, also of those that are not in the table any more.
        self._replies: dict[str, SkipReply] = {}
        #: The last one that the log reported.
        self.error = ""

    @property
    def consumers(self) -> tuple[str, ...]:
        return tuple(sorted({reply.name for reply in self._replies.values()}))

    async def ask_and_withdraw(self, within: float, stop: asyncio.Event) -> SkipOutcome:
        """Raises `PublishFailed` where the log does not take the request, and nothing was done."""
        refused: PublishFailed | None = None
        try:
            await self._control.put(self._request.key, self._request.encode())
        except PublishFailed as error:  # it may be in the table all the same
            refused = error
        else:
            await self._watch(_is_finished, within, stop)
        known = await self._withdraw() and await self._watch(lambda replies: not _is_being_set_aside(replies), _LAST_REPLY)
        if self._clock() > self._request.until:
            known, self.error = False, "this command stood still for too long"
        outcome = _outcome(self._replies.values(), known=known)
        if refused and outcome is SkipOutcome.NOT_FOUND:
            raise refused
        return outcome

    async def _withdraw(self) -> bool:
        """Returns False if no attempt was acknowledged."""
        deadline = asyncio.get_running_loop().time() + _LAST_REPLY
        while True:
            try:
                await self._control.delete(self._request.key)
            except PublishFailed as error:
                self.error = str(error)
            else:
                return True
            if asyncio.get_running_loop().time() > deadline:
                return False
            await asyncio.sleep(_LOOK_EVERY)

    async def _watch(
        self, is_over: Callable[[Collection[SkipReply]], bool], within: float, stop: asyncio.Event | None = None
    ) -> bool:
        """Reads the table until it is over, `within` is, or `stop` is set. Returns whether the table could be read."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within
        seen = False
        while True:
            try:
                self._take(await self._control.snapshot())
            except TransportUnusable as error:
                self.error = str(error)
            else:
                seen = True
                if is_over(self._replies.values()):
                    return True
            if loop.time() > deadline or (stop and stop.is_set()):
                return seen
            await (stopped_within(stop, _LOOK_EVERY) if stop else asyncio.sleep(_LOOK_EVERY))

    def _take(self, documents: Mapping[str, bytes]) -> None:
        replies = SkipDocuments.parse(documents).replies.values()
        self._replies |= {reply.key: reply for reply in replies if reply.request == self._request.id}


def _outcome(replies: Collection[SkipReply], *, known: bool) -> SkipOutcome:
    """`known`: the request was withdrawn, and these were read after that and before it expired."""
    statuses = {reply.status for reply in replies}
    if SkipStatus.SET_ASIDE in statuses:
        return SkipOutcome.SET_ASIDE
    if not known and SkipStatus.DELIVERED not in statuses:
        return SkipOutcome.NOT_WITHDRAWN
    if SkipStatus.SETTING_ASIDE in statuses:
        return SkipOutcome.UNKNOWN
    if SkipStatus.DELIVERED in statuses:
        return SkipOutcome.DELIVERED
    return SkipOutcome.WITHDRAWN if statuses else SkipOutcome.NOT_FOUND


def _is_being_set_aside(replies: Collection[SkipReply]) -> bool:
    """A consumer may be writing the dead letter at this moment."""
    statuses = {reply.status for reply in replies}
    return SkipStatus.SETTING_ASIDE in statuses and SkipStatus.SET_ASIDE not in statuses


def _is_finished(replies: Collection[SkipReply]) -> bool:
    """There is nothing to wait for: it is set aside, or delivered and no consumer is setting it aside."""
    return any(reply.status in FINAL for reply in replies) and not _is_being_set_aside(replies)
