"""Set a blocking event aside while consumers run: ask for it, wait for the consumer that has it in hand, withdraw in time.

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
from shared.documents.skip import SKEW, Answer, Request, Table, Word, has_ended, outstanding
from shared.errors import PublishFailed, TransportUnusable
from shared.transport.port import Table as Control
from shared.transport.port import Transport

_LOOK_EVERY: Final = 0.5  # seconds
#: Seconds within which every consumer looks at the table, while all is well.
_REACH: Final = 5.0
#: Seconds that a consumer gets to say what became of an event that it was setting aside when the request was withdrawn.
_LAST_WORD: Final = 10.0


class SkipOutcome(Enum):
    SET_ASIDE = auto()
    #: It is a dead letter since before, and no consumer has it in hand.
    BEFORE = auto()
    #: A consumer had it in hand and saw the 200 before it could be set aside.
    DELIVERED = auto()
    #: A consumer had it in hand, and it was not free in time. Nothing was done, and nothing will be.
    WITHDRAWN = auto()
    #: No consumer has it in hand. Nothing was done, and nothing will be.
    NOT_FOUND = auto()
    #: A consumer was setting it aside, and did not say whether it has.
    UNKNOWN = auto()
    #: The log did not take the withdrawal, or could not be read after it: the request may be acted on until it expires.
    NOT_WITHDRAWN = auto()


#: What a dead letter that was not there before we asked makes of these.
_OPEN: Final = {
    SkipOutcome.UNKNOWN: SkipOutcome.SET_ASIDE,
    SkipOutcome.NOT_WITHDRAWN: SkipOutcome.SET_ASIDE,
    SkipOutcome.NOT_FOUND: SkipOutcome.BEFORE,  # by another one's request
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SkipReport:
    outcome: SkipOutcome
    #: Those that had it in hand.
    consumers: tuple[str, ...]
    #: When the request expires by itself, in seconds since the epoch.
    until: float
    #: Why it could not be withdrawn.
    problem: str


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
    """Ask for it, and withdraw after `within` seconds, or when `stop` is set. `clock`: seconds since the epoch.

    Raises `TransportUnusable` and `PublishFailed`; then nothing was done.
    """
    letters, control = await transport.dead_letters(), await transport.control()
    try:
        before = await _is_dead(letters, log_id)
        asked = clock()
        request = Request(
            id=uuid.uuid4().hex, log_id=log_id, by=by, why=reason, asked=asked, until=asked + within + _LAST_WORD + SKEW
        )
        operator = _Operator(control, request, clock)
        outcome = await operator.ask_and_withdraw(min(within, _REACH) if before else within, stop)
        if outcome is SkipOutcome.NOT_FOUND and before:
            outcome = SkipOutcome.BEFORE
        elif outcome in _OPEN and not before:
            with suppress(TransportUnusable):
                dead = await _is_dead(letters, log_id)
                outcome = _OPEN[outcome] if dead else outcome
        return SkipReport(outcome=outcome, consumers=operator.consumers, until=request.until, problem=operator.problem)
    finally:
        await letters.close()
        await control.close()


async def _is_dead(dead_letters: Control, log_id: str) -> bool:
    return any([found.log_id == log_id async for found in dead_letter.scan(dead_letters)])


class _Operator:
    """One request, from its first document to its last."""

    def __init__(self, control: Control, request: Request, clock: Callable[[], float]) -> None:
        self._control = control
        self._request = request
        self._clock = clock
        #: The newest of each consumer, also of those that are not in the table any more.
        self._answers: dict[str, Answer] = {}
        #: The last one of the log.
        self.problem = ""

    @property
    def consumers(self) -> tuple[str, ...]:
        return tuple(sorted({answer.name for answer in self._answers.values()}))

    async def ask_and_withdraw(self, within: float, stop: asyncio.Event) -> SkipOutcome:
        """Raises `PublishFailed` where the log does not take the request, and nothing was done."""
        refused: PublishFailed | None = None
        try:
            await self._control.put(self._request.key, self._request.document())
        except PublishFailed as error:  # it may be in the table all the same
            refused = error
        else:
            await self._watch(has_ended, within, stop)
        known = await self._withdraw() and await self._watch(lambda answers: not outstanding(answers), _LAST_WORD)
        if self._clock() > self._request.until:
            known, self.problem = False, "this command stood still for too long"
        outcome = _outcome(self._answers.values(), known=known)
        if refused and outcome is SkipOutcome.NOT_FOUND:
            raise refused
        return outcome

    async def _withdraw(self) -> bool:
        """False: no try was acknowledged."""
        deadline = asyncio.get_running_loop().time() + _LAST_WORD
        while True:
            try:
                await self._control.delete(self._request.key)
            except PublishFailed as error:
                self.problem = str(error)
            else:
                return True
            if asyncio.get_running_loop().time() > deadline:
                return False
            await asyncio.sleep(_LOOK_EVERY)

    async def _watch(self, over: Callable[[Collection[Answer]], bool], within: float, stop: asyncio.Event | None = None) -> bool:
        """Look until it is over, or time is; whether the table could be read."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within
        seen = False
        while True:
            try:
                self._take(await self._control.snapshot())
            except TransportUnusable as error:
                self.problem = str(error)
            else:
                seen = True
                if over(self._answers.values()):
                    return True
            if loop.time() > deadline or (stop and stop.is_set()):
                return seen
            await _pause(stop)

    def _take(self, documents: Mapping[str, bytes]) -> None:
        self._answers |= {answer.key: answer for answer in Table.of(documents).answers_of(self._request.id)}


def _outcome(answers: Collection[Answer], *, known: bool) -> SkipOutcome:
    """`known`: the request was withdrawn, and these were read after that and before it expired."""
    words = {answer.word for answer in answers}
    if Word.SET_ASIDE in words:
        return SkipOutcome.SET_ASIDE
    if not known and Word.DELIVERED not in words:
        return SkipOutcome.NOT_WITHDRAWN
    if Word.SETTING_ASIDE in words:
        return SkipOutcome.UNKNOWN
    if Word.DELIVERED in words:
        return SkipOutcome.DELIVERED
    return SkipOutcome.WITHDRAWN if words else SkipOutcome.NOT_FOUND


async def _pause(stop: asyncio.Event | None) -> None:
    if stop is None:
        await asyncio.sleep(_LOOK_EVERY)
        return
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), _LOOK_EVERY)
