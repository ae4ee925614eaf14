"""What a consumer does next about skips, from the documents and from what became of the events. Pure.

`shared.documents.skip` says why a withdrawal and a dead letter cannot miss each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Final

from shared.documents.skip import FINAL, SKEW, SkipDocuments, SkipReply, SkipRequest, SkipStatus

#: Seconds after a document has expired from which on any consumer removes what its writer left behind.
_LEFT_BEHIND: Final = 600.0


class CopyState(Enum):
    """The state of one copy of an event at this consumer; a log id may stand in the log several times."""

    #: Its call is open, or it is behind another event of its key.
    WAITING = auto()
    #: Nothing of it starts.
    WITHHELD = auto()
    #: Its dead letter is being written.
    WRITING = auto()
    #: Its dead letter is acknowledged.
    DEAD = auto()
    DELIVERED = auto()
    #: Its partition was lost.
    LOST = auto()
    #: Its partition was lost while the dead letter was being written.
    UNKNOWN = auto()


@dataclass(slots=True, kw_only=True)
class SkipPlan:
    """What a consumer does now."""

    #: The reason by log id: the withheld copies may be set aside, if it is done before anything else is awaited.
    permits: dict[str, str] = field(default_factory=dict)
    #: Documents by key; None: delete it.
    writes: dict[str, bytes | None] = field(default_factory=dict)
    #: One of them says that this consumer is setting aside: look again as soon as it is acknowledged.
    look_again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SkipParticipant:
    """One consumer: the `member` and `name` of its replies."""

    id: str
    name: str

    def plan(self, documents: SkipDocuments, copies: Mapping[str, AbstractSet[CopyState]], now: float) -> SkipPlan:
        """`copies`: by log id, of the events that this consumer has taken and was asked to set aside."""
        plan = SkipPlan()
        acted_on = self._acted_on(documents, now)
        for reply, is_active in self._replies(documents, now):
            before = documents.replies.get(reply.key)
            states = copies.get(reply.log_id, frozenset())
            acts = acted_on.get(reply.log_id) == reply.request
            status = _status(before.status if before else None, states, is_active=is_active, acts=acts)
            if acts and before and before.status is status is SkipStatus.SETTING_ASIDE and CopyState.WITHHELD in states:
                plan.permits[reply.log_id] = documents.requests[reply.request].reason
            elif status is not None and (before is None or before.status is not status):
                plan.writes[reply.key] = replace(reply, status=status).encode()
                plan.look_again |= status is SkipStatus.SETTING_ASIDE
        plan.writes |= dict.fromkeys(self._expired(documents, now))
        return plan

    def unfinished(self, documents: SkipDocuments) -> set[str]:
        """The log ids for which this consumer still has to write a further reply."""
        ours = (reply for reply in documents.replies.values() if reply.member == self.id)
        return {reply.log_id for reply in ours if reply.status in (SkipStatus.TAKEN, SkipStatus.SETTING_ASIDE)}

    def _acted_on(self, documents: SkipDocuments, now: float) -> dict[str, str]:
        """By log id one request: of several the one that this consumer is setting aside for, else the oldest."""
        acted_on: dict[str, str] = {}
        for request in documents.active(now):
            before = documents.replies.get(self._first_reply(request).key)
            if request.log_id not in acted_on or (before and before.status is SkipStatus.SETTING_ASIDE):
                acted_on[request.log_id] = request.id
        return acted_on

    def _replies(self, documents: SkipDocuments, now: float) -> Iterator[tuple[SkipReply, bool]]:
        """What this consumer may have to reply, and whether the request is active."""
        active = {request.id for request in documents.active(now)}
        ours = {key: reply for key, reply in documents.replies.items() if reply.member == self.id}
        for request in documents.requests.values():
            ours.setdefault((reply := self._first_reply(request)).key, reply)
        for reply in ours.values():
            if now <= reply.until + SKEW:
                yield reply, reply.request in active

    def _first_reply(self, request: SkipRequest) -> SkipReply:
        return SkipReply(
            request=request.id,
            member=self.id,
            name=self.name,
            log_id=request.log_id,
            status=SkipStatus.TAKEN,
            until=request.until,
        )

    def _expired(self, documents: SkipDocuments, now: float) -> Iterator[str]:
        """Our replies once no operator relies on them, and what other writers left behind."""
        stored: list[SkipRequest | SkipReply] = [*documents.requests.values(), *documents.replies.values()]
        for document in stored:
            ours = isinstance(document, SkipReply) and document.member == self.id
            if now > document.until + (SKEW if ours else _LEFT_BEHIND):
                yield document.key


def _status(before: SkipStatus | None, states: AbstractSet[CopyState], *, is_active: bool, acts: bool) -> SkipStatus | None:
    """What a consumer replies to a request. None: nothing, and nothing was replied before."""
    if before in FINAL:
        return before
    if CopyState.WRITING in states:
        return before or (SkipStatus.TAKEN if is_active else None)
    if states & {CopyState.WITHHELD, CopyState.WAITING} and is_active:
        # With another copy of the event dead, or maybe dead, it must not look as if nothing had been done.
        begun = before is SkipStatus.SETTING_ASIDE and states & {CopyState.DEAD, CopyState.UNKNOWN}
        return SkipStatus.SETTING_ASIDE if begun or (acts and CopyState.WITHHELD in states) else SkipStatus.TAKEN
    if CopyState.DEAD in states:
        return before and SkipStatus.SET_ASIDE  # None: it was dead before it was asked for
    if CopyState.UNKNOWN in states:
        return before
    if states == {CopyState.DELIVERED}:
        return SkipStatus.DELIVERED
    return before and SkipStatus.LEFT
