"""How events are delivered, as the operator wants it: values, and nothing else."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from enum import StrEnum

from consumer.scheduling.batch import Batching
from shared.backoff import Backoff


class Ordering(StrEnum):
    KEY = "key"
    PARTITION = "partition"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How events are delivered, as the operator wants it."""

    backoff: Backoff
    #: Statuses that mean delivered.
    success: Set[int] = frozenset({200})
    ordering: Ordering = Ordering.KEY
    #: Attempts after which an event becomes a dead letter; None: it is tried for ever.
    max_attempts: int | None = None
    #: None: one event a call.
    batching: Batching | None = None
    #: Calls a second over the whole group; None: no limit.
    rate: float | None = None
    #: `WEBHOOK_CONCURRENT_CALLS`, of which the share is a part.
    concurrent_calls: int = 1
