"""Where one event is now, and why. What no document and no offset says is not invented."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from admin.actions.looking import log_ids
from admin.actions.looking.locate import MOST, Located, Search, first_before, is_place, locate
from admin.actions.looking.where import Where, WhereState, dead, purged, undone, was_read
from admin.actions.looking.wording import age, counted, since
from admin.actions.operator_state import ControlView, OperatorState
from producer.selection import Selection
from shared.documents import dead_letter as documents
from shared.documents import gap
from shared.documents.replica import ConsumerReport, EventState, PendingEvent, ReplicaDocument
from shared.errors import EnvironmentUnusable, TransportUnusable
from shared.event import Event
from shared.transport.port import DeadLetter, Progress, Reader, Transport
from shared.words import BreakerState, Ordering


@dataclass(frozen=True, slots=True)
class FilterAtHand:
    """The filter of a poller, and Auth0 to ask for an entry; it raises `EnvironmentUnusable`."""

    selection: Selection
    ask: Callable[[str], Awaitable[Event | None]]


async def show(
    transport: Transport, log_id: str, at_hand: FilterAtHand | str, *, clock: Callable[[], float] = time.time
) -> Where:
    """`log_id`: whole, its unique beginning, or `PARTITION:OFFSET`. `at_hand`: or why Auth0 cannot be asked.

    Raises `TransportUnusable`, and `ConfigurationError` for the beginning of several ids.
    """
    control = ControlView(transport)
    reader = await transport.reader()
    try:
        operator = await control.look()
        return await _Inquiry(transport, reader, operator, await _group(transport), clock()).answer(log_id, at_hand)
    finally:
        await reader.close()
        await control.close()


async def _group(transport: Transport) -> str:
    with suppress(TransportUnusable):
        return (await transport.consumers()).group
    return ""


class _Inquiry:
    """`group`: whose offsets these are; consumers of another one deliver the same log to another webhook. Empty: any."""

    def __init__(self, transport: Transport, reader: Reader, operator: OperatorState, group: str, now: float) -> None:
        self._transport = transport
        self._reader = reader
        self._operator = operator
        self._live = [one for one in operator.live(now) if one.consumer_in(group)]
        self._now = now

    async def answer(self, log_id: str, at_hand: FilterAtHand | str, known: Search | None = None) -> Where:
        """`known`: where its record was found by something else than its whole id."""
        letter, hidden = await self._dead_letter(log_id)
        if letter:
            return dead(letter, self._now)
        if gap.PREFIX + log_id in self._operator.gaps:
            return Where(log_id=log_id, state=WhereState.GAP, why="a gap report names it: Auth0 had it, and the log never did")
        acts = [entry for entry in self._operator.audit if entry.is_about(log_id)]
        if acts and acts[-1].what.startswith("dead-letters purge"):
            return purged(log_id, acts[-1], self._now)
        again = acts[-1].time if acts and acts[-1].what.startswith("dead-letters retry") else None
        search = known or await locate(self._reader, log_id, again)
        if search is None:
            why = "no time can be read from this id, so it is not looked for in the log; no dead letter and no gap has it either"
            return Where(log_id=log_id, state=WhereState.UNKNOWN, why=f"{why}{hidden}")
        if search.found is None and is_place(log_id):
            why = "the log has no record at this partition and offset: it is not there yet, not any more, or never was"
            return Where(log_id=log_id, state=WhereState.UNKNOWN, why=f"{why}{hidden}")
        if search.found is None:
            return await self._absent(log_id, search, at_hand, hidden)
        if search.found.log_id not in ("", log_id) and not known:
            return await self.answer(search.found.log_id, at_hand, search)  # dead letters and the audit know the whole id only
        return await self._present(search.found, hidden)

    async def _dead_letter(self, log_id: str) -> tuple[DeadLetter | None, str]:
        """Returns it, and what to add to an answer where dead letters cannot be read."""
        try:
            table = await self._transport.dead_letters()
            try:
                whole = log_ids.resolve(log_id, await table.keys())
                found = [one async for one in documents.scan(table) if one.log_id == whole] if whole else []
            finally:
                await table.close()
        except TransportUnusable as error:
            return None, f". Dead letters could not be looked at: {error}"
        return next(iter(found), None), ""

    async def _absent(self, log_id: str, search: Search, at_hand: FilterAtHand | str, hidden: str) -> Where:
        unknown = Where(log_id=log_id, state=WhereState.UNKNOWN, why="")
        looked = f"it is not among the {counted(search.looked_at, 'record')} published after the time in its id"
        if not search.complete:
            return replace(unknown, why=f"{looked}; no more than {MOST:,} are read, so it may lie behind them{hidden}")
        try:
            checkpoint = await self._transport.checkpoint()
        except TransportUnusable as error:
            return replace(unknown, why=f"{looked}, and how far Auth0's log was read cannot be told: {error}{hidden}")
        if not was_read(log_id, checkpoint):
            upto = checkpoint.log_id if checkpoint and checkpoint.log_id else "nothing yet"
            return replace(unknown, why=f"{looked}, and Auth0's log was not read as far as this id: up to {upto}{hidden}")
        if isinstance(at_hand, str):
            maybe = "the filter left it out, its time in the log is over, or there never was such an event"
            return replace(unknown, why=f"{looked}: {maybe}. Auth0 was not asked: {at_hand}{hidden}")
        try:
            event = await at_hand.ask(log_id)
        except EnvironmentUnusable as error:
            return replace(unknown, why=f"{looked}, and {error}{hidden}")
        if event is None:
            return replace(unknown, why=f"{looked}, and Auth0 knows no entry of this id, or not any more{hidden}")
        decision = at_hand.selection.explain(event.type)
        if decision.reason is not None:
            return Where(log_id=log_id, state=WhereState.FILTERED, why=f"{decision.setting} leaves it out: {decision.why}")
        maybe = "its time in the log is over, or the poller has other settings of the filter than this command"
        return replace(
            unknown, why=f"{looked}, though Auth0 has it and the filter lets it pass ({decision.why}): {maybe}{hidden}"
        )

    async def _present(self, at: Located, hidden: str) -> Where:
        progress = (await self._transport.progress())[at.partition]
        where = Where(
            log_id=at.log_id or f"{at.partition}:{at.record.offset}",
            state=WhereState.UNKNOWN,
            why="",
            partition=at.partition,
            offset=at.record.offset,
        )
        if not undone(progress)(at.record.offset):
            passed = "derived: the committed position of its partition says that it is completed"
            if hidden:
                return replace(where, why=f"{passed}, so it was delivered or is a dead letter{hidden}")
            removed = "" if self._operator.readable else _MAYBE_REMOVED
            return replace(
                where, state=WhereState.DELIVERED, why=f"{passed}, and no dead letter has it. When is not stored{removed}"
            )
        for replica in self._live:
            for event in replica.consumer.events if replica.consumer else ():
                says = event.state in _SAID or event.reason
                if says and (event.partition, event.offset) == (at.partition, at.record.offset):
                    return self._said(where, replica, event)
        return await self._waiting(where, at, progress)

    def _said(self, where: Where, replica: ReplicaDocument, event: PendingEvent) -> Where:
        said = f"{replica.id} said so {age(self._now - replica.seen)} ago"
        state, words = (WhereState.WAITING, _by_rules(event)) if event.reason else _SAID[event.state]
        return replace(
            where,
            state=state,
            why=f"{words}; {said}",
            attempts=event.attempts,
            last_outcome=event.last_outcome or None,
            next_try=event.next_try,
        )

    async def _waiting(self, where: Where, at: Located, progress: Progress) -> Where:
        begin = progress.end - progress.lag
        before = f"{counted(at.record.offset - begin, 'record')} of its partition come before it"
        waiting, obstacle = replace(where, state=WhereState.WAITING), self._obstacle(at.partition)
        owner = self._owner(at.partition)
        ordering = owner.ordering if owner else ""
        if ordering == Ordering.NONE:
            return replace(waiting, why=f"{before}, and it waits for none of them (WEBHOOK_ORDERING=none){obstacle}")
        whole = ordering == Ordering.PARTITION
        ahead = await first_before(self._reader, at, undone(progress), begin, any_key=whole)
        if ahead.found:
            behind = ahead.found.log_id or f"{at.partition}:{ahead.found.record.offset}"
            return replace(waiting, why=f"{_IN_ORDER.get(ordering, _IN_ORDER[''])}{obstacle}", behind=behind)
        if not ahead.complete:
            why = f"more than {MOST:,} records of its partition come before it, too many to look for one of the same user"
            return replace(waiting, why=f"{why}{obstacle}")
        return replace(waiting, why=f"{before}, {'all of them done' if whole else 'none of the same user'}{obstacle}")

    def _owner(self, partition: int) -> ConsumerReport | None:
        consumers = (one.consumer for one in self._live if one.consumer)
        return next((one for one in consumers if partition in one.partitions), None)

    def _obstacle(self, partition: int) -> str:
        """What holds up every event of this partition, as far as it is known."""
        desired = self._operator.desired
        if desired and desired.paused:
            return f". Delivery is paused by {desired.by} since {since(desired.since, self._now)}: {desired.why}"
        if not self._operator.readable:
            return ". What consumers say of it cannot be read"
        owner = self._owner(partition)
        if owner is None:
            return ". No consumer says that it works on this partition"
        if owner.breaker.state is not BreakerState.CLOSED:
            return f". The webhook is down: {owner.breaker.last_outcome or 'the breaker is not closed'}"
        return ". Its consumer names no call and no retry of it"


def _by_rules(event: PendingEvent) -> str:
    if event.next_try is None:
        return f"it waits for its rules: {event.reason}"
    return f"its rules failed and run again, and the events of its user wait: {event.reason}"


_MAYBE_REMOVED = (
    ". Whether an operator removed it as a dead letter, undelivered, cannot be seen: the control table cannot be read"
)
_OF_ITS_USER = "an earlier event of the same user is not delivered yet, and order is kept for each user"
#: Why an event waits behind another one, by what its consumer says of WEBHOOK_ORDERING; empty: no consumer says.
_IN_ORDER = {
    "": f"{_OF_ITS_USER} (unless WEBHOOK_ORDERING=none)",
    Ordering.KEY: _OF_ITS_USER,
    Ordering.PARTITION: "an earlier event of its partition is not delivered yet, and order is kept (WEBHOOK_ORDERING=partition)",
}
#: What consumers say of an event that they name, and that no offset tells.
_SAID = {
    EventState.IN_FLIGHT: (WhereState.IN_FLIGHT, "its call is open"),
    EventState.RETRYING: (WhereState.RETRYING, "its last attempt failed, and it is tried again"),
    EventState.HELD: (WhereState.WAITING, "it is held: it is no record of ours, or an operator wants it set aside"),
}
