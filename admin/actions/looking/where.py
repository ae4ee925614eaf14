"""Where an event can be, as values, and what offsets and documents say of it. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from admin.actions.looking.wording import since
from shared import commit_metadata
from shared.documents.audit import AuditEntry
from shared.transport.port import Checkpoint, DeadLetter, Progress


class WhereState(StrEnum):
    FILTERED = "filtered"
    WAITING = "waiting"
    RETRYING = "retrying"
    IN_FLIGHT = "in_flight"
    DELIVERED = "delivered"
    DEAD = "dead"
    GAP = "gap"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """None: it is not known, or there is none."""

    log_id: str
    state: WhereState
    #: In a sentence or several.
    why: str
    partition: int | None = None
    offset: int | None = None
    #: Failed ones.
    attempts: int | None = None
    last_outcome: str | None = None
    #: Seconds since the epoch.
    next_try: float | None = None
    #: The log id of the event that it waits for.
    behind: str | None = None


def undone(progress: Progress) -> Callable[[int], bool]:
    """Returns whether an offset is neither delivered nor set aside, by what was committed last."""
    position = progress.committed
    if position is None:
        return lambda _offset: True
    known = commit_metadata.decode(position.offset, position.metadata) if position.metadata else None
    if known is None:
        return lambda offset: offset >= position.offset
    still_open = frozenset(known.open)
    return lambda offset: offset >= known.until or offset in still_open


def was_read(log_id: str, checkpoint: Checkpoint | None) -> bool:
    """Ids of one form ascend with Auth0's log."""
    return checkpoint is not None and bool(checkpoint.log_id) and log_id <= checkpoint.log_id


def dead(found: DeadLetter, now: float) -> Where:
    look = f"`auth0-webhooks dead-letters show {found.log_id}` has the event"
    return Where(
        log_id=found.log_id,
        state=WhereState.DEAD,
        why=f"set aside at {since(found.time, now)}: {found.reason}. {look}",
        partition=found.partition,
        offset=found.record.offset,
        attempts=found.attempts,
        last_outcome=f"answered {found.status}" if found.status is not None else None,
    )


def purged(log_id: str, entry: AuditEntry, now: float) -> Where:
    why = f"it was a dead letter, and {entry.by} removed it at {since(entry.time, now)}; it was not delivered"
    return Where(log_id=log_id, state=WhereState.DEAD, why=why)
