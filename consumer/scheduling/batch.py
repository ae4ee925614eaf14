"""Several events in one call: how they are gathered, and what they look like. Pure: the time is handed in."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from consumer.delivery import Delivery
from consumer.partitions.partition import Assignment
from consumer.webhook import Call


class Form(StrEnum):
    #: A JSON array.
    ARRAY = "true"
    #: JSON lines: an event a line. Line breaks inside an entry are made spaces, which JSON allows.
    LINES = "lines"


@dataclass(frozen=True, slots=True, kw_only=True)
class Batching:
    form: Form
    #: Events in a call.
    most: int
    #: Bytes of a call's body; one event that is larger goes alone.
    most_bytes: int
    #: Seconds to wait for more.
    linger: float

    def ripe(self, ready: Collection[Delivery]) -> bool:
        """Enough for a full call is there, so nobody waits for more."""
        there = sum(1 + delivery.assignment.lanes.waiting(delivery.lane) for delivery in ready)
        return there >= self.most or sum(len(delivery.body) + 2 for delivery in ready) >= self.most_bytes

    def take(self, ready: deque[Delivery]) -> Batch:
        """The next call's events, from the front of `ready`, which must not be empty, and from behind them in their lanes."""
        first = ready.popleft()
        parts, size = [first], len(first.body) + 2
        while ready and not ready[0].alone and self._fits(parts, size, ready[0]):
            parts.append(ready.popleft())
            size += len(parts[-1].body) + 2
        for part in parts:  # grows while we look: each one may bring the next of its lane
            lanes = part.assignment.lanes
            following = lanes.peek(part.lane)
            if following is not None and following.skip is None and self._fits(parts, size, following):
                lanes.follow(part.lane)
                parts.append(following)
                size += len(following.body) + 2
        return Batch(parts, self.form)

    def _fits(self, parts: Sequence[Delivery], size: int, more: Delivery) -> bool:
        return len(parts) < self.most and size + len(more.body) + 2 <= self.most_bytes


class Batch(Call):
    """It stays as it is while it is tried again, and its id with it: the first event's id, `+`, and the number of events."""

    __slots__ = ("parts",)

    def __init__(self, parts: Sequence[Delivery], form: Form) -> None:
        super().__init__(f"{parts[0].log_id}+{len(parts)}", _body(parts, form))
        self.parts = parts


def _body(parts: Sequence[Delivery], form: Form) -> bytes:
    if form is Form.ARRAY:
        return b"[" + b",\n".join(part.body for part in parts) + b"]"
    return b"".join(part.body.replace(b"\r", b" ").replace(b"\n", b" ") + b"\n" for part in parts)


def heads_of(parts: Sequence[Delivery]) -> list[Delivery]:
    """Take a batch apart: the head of each lane; the others wait behind theirs again."""
    lanes: dict[tuple[Assignment, bytes | int], list[Delivery]] = {}
    for part in parts:
        lanes.setdefault((part.assignment, part.lane), []).append(part)
    for (assignment, lane), (_, *others) in lanes.items():
        assignment.lanes.back(lane, others)
    return [head for head, *_ in lanes.values()]
