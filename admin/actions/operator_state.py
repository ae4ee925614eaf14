"""What operators and replicas have told each other, as one look at the control table shows it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from shared.documents import audit, desired, gap, replica
from shared.documents.audit import AuditEntry
from shared.documents.desired import DesiredDelivery
from shared.documents.replica import STALE, ReplicaDocument
from shared.errors import RecordInvalid, TransportUnusable
from shared.transport.port import Table, Transport

#: The most unreadable documents that are named one by one.
_NAMED: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorState:
    #: None: no operator ever asked for anything, or it is among the `unknown`.
    desired: DesiredDelivery | None
    #: By name, stale ones included.
    replicas: tuple[ReplicaDocument, ...]
    #: The oldest first.
    audit: tuple[AuditEntry, ...]
    #: Keys of gap reports.
    gaps: tuple[str, ...]
    #: What cannot be known, a sentence each.
    unknown: tuple[str, ...]
    #: False: the table cannot be read, so nothing of this is known.
    readable: bool = True
    #: By replica, whether it writes; only of those that were watched for long enough. Of the others their own clock tells.
    writes: Mapping[str, bool] = field(default_factory=dict)

    def is_stale(self, one: ReplicaDocument, now: float) -> bool:
        """`now`: seconds since the epoch."""
        writes = self.writes.get(one.id)
        return one.is_stale(now) if writes is None else not writes

    def live(self, now: float) -> tuple[ReplicaDocument, ...]:
        return tuple(one for one in self.replicas if not self.is_stale(one, now))


class Arrivals:
    """Which replicas write new documents before our eyes: that needs no clock of theirs. Pure: the time is handed in."""

    def __init__(self) -> None:
        #: By replica the moment that its document says, since when that stands there, and whether it was another one before.
        self._known: dict[str, tuple[float, float, bool]] = {}

    def writes(self, replicas: Iterable[ReplicaDocument], now: float) -> dict[str, bool]:
        """To be called at each look. `now`: seconds that never go back. Returns nothing of those of which it cannot tell yet."""
        before, self._known = self._known, {}
        for one in replicas:
            seen, since, changed = before.get(one.id, (one.seen, now, False))
            self._known[one.id] = (seen, since, changed) if seen == one.seen else (one.seen, now, True)
        told = {name: (now - since, changed) for name, (_, since, changed) in self._known.items()}
        return {name: unchanged <= STALE for name, (unchanged, changed) in told.items() if changed or unchanged > STALE}


def parse(documents: Mapping[str, bytes]) -> OperatorState:
    unreadable: dict[str, str] = {}
    wanted = None
    try:
        wanted = desired.desired(documents)
    except RecordInvalid as error:
        unreadable[desired.KEY] = str(error)
    replicas = replica.replicas(documents, unreadable)
    entries = audit.entries(documents, unreadable)
    gap.gaps(documents, unreadable)
    return OperatorState(
        desired=wanted,
        replicas=tuple(replicas[name] for name in sorted(replicas)),
        audit=tuple(entries),
        gaps=tuple(sorted(key for key in documents if key.startswith(gap.PREFIX))),
        unknown=tuple(_left_alone(unreadable)),
    )


def _left_alone(unreadable: Mapping[str, str]) -> Iterator[str]:
    """Yields a few of them, the desired state first: a table full of rubbish must not hide the rest of `status`."""
    keys = sorted(unreadable, key=lambda key: (key != desired.KEY, key))
    for key in keys[:_NAMED]:
        yield f"{key} in the control table is left alone: {unreadable[key]}"
    if len(keys) > _NAMED:
        yield f"{len(keys) - _NAMED:,} more documents in the control table that are left alone"


class ControlView:
    """The control table, opened when it is first read, and again after an error."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._table: Table | None = None
        self._arrivals = Arrivals()

    async def look(self) -> OperatorState:
        """Raises nothing: a table that cannot be read is one of the things that are unknown."""
        try:
            self._table = self._table or await self._transport.control()
            state = parse(await self._table.snapshot())
            return replace(state, writes=self._arrivals.writes(state.replicas, time.monotonic()))
        except TransportUnusable as error:
            await self.close()
            return OperatorState(
                desired=None,
                replicas=(),
                audit=(),
                gaps=(),
                unknown=(f"what consumers and pollers say, and whether delivery is paused: {error}",),
                readable=False,
            )

    async def close(self) -> None:
        """Idempotent."""
        table, self._table = self._table, None
        if table is not None:
            await table.close()
