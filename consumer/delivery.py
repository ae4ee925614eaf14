"""A delivery: one event on its way to the webhook. The object is the call; nothing else is made for an event."""

from __future__ import annotations

from consumer.assignment import Assignment


class Delivery:
    """Owned by the courier; the webhook client reads `log_id`, `body` and `attempt`."""

    __slots__ = ("assignment", "attempt", "body", "key", "log_id", "offset")

    def __init__(self, assignment: Assignment, offset: int, key: bytes, log_id: str, body: bytes) -> None:
        self.assignment = assignment
        self.offset = offset
        self.key = key
        self.log_id = log_id
        self.body = body
        #: The number of the attempt that is under way or comes next, from 1. Counts anew after a restart or rebalance.
        self.attempt = 1
