"""Several events in one call: how they are gathered, and what they look like. Pure: the time is handed in."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from consumer.partitions.partition import Delivery, Partition
from consumer.webhook import Call
from shared.words import BatchForm


@dataclass(frozen=True, slots=True, kw_only=True)
class Batching:
    form: BatchForm
    #: Events in a call.
    most: int
    #: Bytes of a call's body; one event that is larger goes alone.
    most_bytes: int
    #: Seconds to wait for more.
    linger: float

    def is_ripe(self, ready: Collection[Delivery]) -> bool:
        """There is enough for a full call, so it waits for no more."""
        count = sum(1 + delivery.partition.key_queues.waiting(delivery.queue_key) for delivery in ready)
        return count >= self.most or sum(len(delivery.body) + 2 for delivery in ready) >= self.most_bytes

    def take(self, ready: deque[Delivery]) -> Batch:
        """The next call's events: from the front of `ready`, which must not be empty, and from behind them in their queues."""
        first = ready.popleft()
        parts, size = [first], len(first.body) + 2
        while ready and not ready[0].alone and self._fits(parts, size, ready[0]):
            parts.append(ready.popleft())
            size += len(parts[-1].body) + 2
        for part in parts:  # grows meanwhile: each one may bring the next of its key
            queues = part.partition.key_queues
            following = queues.peek(part.queue_key)
            if following is not None and _may_follow(following) and self._fits(parts, size, following):
                queues.follow(part.queue_key)
                parts.append(following)
                size += len(following.body) + 2
        return Batch(parts, self.form)

    def _fits(self, parts: Sequence[Delivery], size: int, more: Delivery) -> bool:
        return len(parts) < self.most and size + len(more.body) + 2 <= self.most_bytes


class Batch(Call):
    """It stays as it is while it is retried, and so does its id: the first event's id, `+`, and the number of events."""

    __slots__ = ("parts",)

    def __init__(self, parts: Sequence[Delivery], form: BatchForm) -> None:
        super().__init__(*batched(parts[0].log_id, [part.body for part in parts], form))
        self.parts = parts


def batched(first_id: str, bodies: Sequence[bytes], form: BatchForm) -> tuple[str, bytes]:
    """Returns the id and the body of a call with these events."""
    if form is BatchForm.ARRAY:
        body = b"[" + b",\n".join(bodies) + b"]"
    else:
        body = b"".join(one.replace(b"\r", b" ").replace(b"\n", b" ") + b"\n" for one in bodies)
    return f"{first_id}+{len(bodies)}", body


def _may_follow(following: Delivery) -> bool:
    return following.skip is None and not following.awaits_rules and following.partition.live


def parts_of(call: Delivery | Batch) -> Sequence[Delivery]:
    """The events that a call carries."""
    return call.parts if isinstance(call, Batch) else (call,)


def is_leaving(call: Delivery | Batch) -> bool:
    """Whether it carries an event of a partition that is about to go."""
    return any(not part.partition.live for part in parts_of(call))


def heads_of(parts: Sequence[Delivery]) -> list[Delivery]:
    """Takes a batch apart: returns the head of each key's queue; the others wait behind theirs again."""
    queues: dict[tuple[Partition, bytes | int], list[Delivery]] = {}
    for part in parts:
        queues.setdefault((part.partition, part.queue_key), []).append(part)
    for (partition, key), (_, *others) in queues.items():
        partition.key_queues.back(key, others)
    return [head for head, *_ in queues.values()]
