"""Several events in one call: how they are gathered, and what they look like. Pure: the time is handed in."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from consumer.delivery import Delivery
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

    def ripe(self, ready: Sequence[Delivery] | deque[Delivery]) -> bool:
        """Enough for a full call is there, so nobody waits for more."""
        if len(ready) >= self.most:
            return True
        return sum(len(delivery.body) + 2 for delivery in ready) >= self.most_bytes

    def take(self, ready: deque[Delivery]) -> Batch:
        """The next call's events, removed from the front of `ready`, which must not be empty."""
        parts = [ready.popleft()]
        size = len(parts[0].body) + 2
        while ready and not ready[0].alone and len(parts) < self.most and size + len(ready[0].body) + 2 <= self.most_bytes:
            parts.append(ready.popleft())
            size += len(parts[-1].body) + 2
        return Batch(parts, self.form)


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
