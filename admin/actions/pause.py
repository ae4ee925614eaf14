"""Pauses and resumes the delivery of all consumers: stores the wish, and waits until every live one has taken it on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from admin.actions.audit import audited
from shared.documents import desired as documents
from shared.documents.desired import DesiredDelivery
from shared.documents.replica import ReplicaDocument, replicas
from shared.errors import DocumentNewer, EnvironmentUnusable, RecordInvalid, TransportUnusable
from shared.transport.port import Table, Transport

#: Seconds that consumers get to take a new state on. They look every second.
WITHIN: Final = 5.0
_LOOK_EVERY: Final = 0.25  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryChange:
    """What came of it."""

    #: What holds now: ours, one that was there before and says the same, or that of another operator who was later.
    desired: DesiredDelivery
    #: This command stored it.
    ours: bool
    #: Live consumers that have taken it on: they begin no call while it says so.
    following: tuple[str, ...]
    #: Those that have not, each with why it may be so.
    missing: tuple[str, ...]
    #: Calls of those that follow, which still end.
    open_calls: int


async def change_delivery(
    transport: Transport,
    *,
    paused: bool,
    by: str,
    why: str = "",
    within: float = WITHIN,
    clock: Callable[[], float] = time.time,
) -> DeliveryChange:
    """Returns after every live consumer has taken it on, or `within` seconds. `clock`: seconds since the epoch.

    Where the state is the wanted one already, nothing is stored; a table that lost it gets it again. Raises
    `EnvironmentUnusable` and `PublishFailed`, and says what was done.
    """
    control = await transport.control()
    try:
        snapshot = await control.snapshot()
        known = _known(snapshot)
        if known.paused == paused if known else not (paused or _held(snapshot)):
            wanted = known or DesiredDelivery.new(paused=False, by="", why="", now=clock())
            return await _Watch(transport, control, wanted, clock).until_followed(within, ours=False)
        wanted = DesiredDelivery.new(paused=paused, by=by, why=why, now=clock())
        async with audited(control, by=by, what="pause" if paused else "resume", why=why, clock=clock) as audit:
            await control.put(documents.KEY, wanted.encode())
            audit.result = "stored"
            change = await _Watch(transport, control, wanted, clock).until_followed(within, ours=True)
            audit.result = _result(change)
        return change
    finally:
        await control.close()


def _known(snapshot: Mapping[str, bytes]) -> DesiredDelivery | None:
    """Raises `EnvironmentUnusable` for a newer one; what is damaged is written again."""
    try:
        documents.desired(snapshot)
    except DocumentNewer as error:
        raise EnvironmentUnusable(f"{documents.KEY} in the control table: {error}. Nothing was done") from None
    except RecordInvalid:
        pass
    return _readable(snapshot)


def _held(snapshot: Mapping[str, bytes]) -> bool:
    """Whether consumers hold to a state that is gone from the table: it was lost, or emptied."""
    return any(one.consumer.desired for one in replicas(snapshot).values() if one.consumer)


def _readable(snapshot: Mapping[str, bytes]) -> DesiredDelivery | None:
    with suppress(RecordInvalid):
        return documents.desired(snapshot)
    return None


def _result(change: DeliveryChange) -> str:
    if not change.ours:
        return f"overtaken by {change.desired.by}"
    return f"{len(change.following)} follow, {len(change.missing)} do not"


class _Watch:
    """Looks at what consumers say about themselves until all have taken on the wanted state."""

    def __init__(self, transport: Transport, control: Table, wanted: DesiredDelivery, clock: Callable[[], float]) -> None:
        self._transport = transport
        self._control = control
        self._wanted = wanted
        self._clock = clock
        #: By replica, when it had been seen at the first look.
        self._first: Mapping[str, float] = {}

    async def until_followed(self, within: float, *, ours: bool) -> DeliveryChange:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within
        while True:
            try:
                change = await self._look(ours=ours)
            except TransportUnusable as error:
                stored = "it is stored, but" if ours else "nothing was changed, and"
                raise TransportUnusable(f"{stored} which consumers follow cannot be seen: {error}") from None
            if change.desired.paused != self._wanted.paused:
                return change
            if change.desired.id != self._wanted.id:  # another operator wants the same: consumers take on theirs, never ours
                self._wanted, ours = change.desired, False
            elif not change.missing or loop.time() > deadline:
                return change
            else:
                await asyncio.sleep(_LOOK_EVERY)

    async def _look(self, *, ours: bool) -> DeliveryChange:
        snapshot = await self._control.snapshot()
        unreadable: dict[str, str] = {}
        found = replicas(snapshot, unreadable)
        self._first = self._first or {name: one.seen for name, one in found.items()}
        live = {name: one for name, one in found.items() if one.consumer and self._is_live(one)}
        following = {name: one for name, one in live.items() if self._follows(one)}
        silent = [f"{name} (heard of {self._ago(one)})" for name, one in live.items() if name not in following]
        now = _readable(snapshot) or self._wanted
        return DeliveryChange(
            desired=now,
            ours=ours and now.id == self._wanted.id,  # not the whole: long words are cut when they are stored
            following=tuple(sorted(following)),
            missing=tuple(sorted([*silent, *await self._silent_members(live.values(), unreadable)])),
            open_calls=sum(one.consumer.in_flight for one in following.values() if one.consumer),
        )

    def _follows(self, replica: ReplicaDocument) -> bool:
        consumer = replica.consumer
        unasked = not self._wanted.paused and not self._wanted.by  # nothing was ever asked for
        return consumer is not None and (consumer.desired == self._wanted.id or (unasked and not consumer.desired))

    def _is_live(self, replica: ReplicaDocument) -> bool:
        """Heard of lately, or since we look, whatever the clocks say."""
        return not replica.is_stale(self._clock()) or replica.seen != self._first.get(replica.id, replica.seen)

    def _ago(self, replica: ReplicaDocument) -> str:
        return f"{max(0.0, self._clock() - replica.seen):.0f} s ago"

    async def _silent_members(self, live: Iterable[ReplicaDocument], unreadable: Mapping[str, str]) -> list[str]:
        """Members of the group that say nothing that we could read, as far as the log tells."""
        try:
            consumers = await self._transport.consumers()
        except TransportUnusable as error:
            return [f"members of the group that say nothing, if there are any ({error})"]
        strange = [f"{key} ({reason})" for key, reason in sorted(unreadable.items())]
        if consumers.members is None:
            return strange
        silent = consumers.members - sum(one.consumer_in(consumers.group) is not None for one in live)
        if silent <= 0:
            return []
        why = ", ".join(strange) or "an older release, without the right to write to the control topic, or just starting"
        return [f"{silent} member{'s' * (silent > 1)} of the group {consumers.group} of which nothing is known: {why}"]
