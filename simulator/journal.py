"""What a receiver was asked and what it answered: the oracle of the tests, the demo and the benchmarks.

A line is written before the first byte of its answer is sent, so that at any moment the journal knows of every 200 that a client
can have seen. One event loop writes; every method but `wait_for` and `wait_until` may be called from any thread.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple


class Call(NamedTuple):
    """A request as it arrived. Text fields are empty where the body has nothing usable. (A NamedTuple: one is made per call.)"""

    #: When it had arrived in full, by the monotonic clock.
    arrived_ns: int
    method: str
    path: str
    #: The header of that name.
    webhook_id: str | None
    #: The attempt number as sent.
    attempt: str | None
    #: The header `webhook-id`, else the `log_id` or `_id` of the body.
    log_id: str
    user_id: str
    type: str
    #: Hexadecimal, of the body.
    sha256: str
    #: Of the body, in bytes.
    length: int


class Delivery(NamedTuple):
    """A call and what became of it."""

    call: Call
    #: When its answer began, by the monotonic clock.
    answered_ns: int
    #: `ok`, the name of a fault, or `gone` when the client did not wait for the answer.
    verdict: str
    #: The status that the client can have read; None: there was none.
    status: int | None
    #: The answer was sent in full.
    whole: bool
    #: The same log id was answered 200 in full before.
    duplicate: bool
    #: Empty unless the receiver keeps bodies.
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def delivered(self) -> bool:
        """It was answered 200 in full."""
        return self.status == 200 and self.whole


class Disorder(NamedTuple):
    """Two deliveries of one user that should not have come like this."""

    user_id: str
    earlier: str
    later: str
    #: `out of order` (by log id) or `side by side` (the later one arrived before the earlier one was answered).
    kind: str


class Journal:
    """Append-only; with a `file` also on disk, one JSON object a line, written before the answer is sent.

    Raises `OSError` when the file cannot be opened.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._deliveries: list[Delivery] = []
        #: The ids answered 200, in the order of their first 200.
        self._done: dict[str, None] = {}
        self._changed: set[asyncio.Event] = set()
        self._fd = None if file is None else os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def append(
        self,
        call: Call,
        *,
        answered_ns: int,
        verdict: str,
        status: int | None,
        whole: bool,
        body: bytes = b"",
        headers: tuple[tuple[str, str], ...] = (),
    ) -> Delivery:
        """Note what the answer is going to be. To be called from the receiver's event loop, before it answers."""
        duplicate = call.log_id in self._done
        delivery = Delivery(call, answered_ns, verdict, status, whole, duplicate, body, headers)
        if self._fd is not None:
            os.write(self._fd, _line(delivery))
        self._deliveries.append(delivery)
        if delivery.delivered and call.log_id:
            self._done[call.log_id] = None
        for event in self._changed:
            event.set()
        return delivery

    def __len__(self) -> int:
        return len(self._deliveries)

    @property
    def all(self) -> tuple[Delivery, ...]:
        """Every delivery, in the order of the answers."""
        return tuple(self._deliveries)

    @property
    def delivered(self) -> tuple[str, ...]:
        """The ids that were answered 200 in full, each once, in the order of their first 200."""
        return tuple(self._done)

    @property
    def maybe_delivered(self) -> frozenset[str]:
        """The ids of which a client can have read a 200, even if the answer broke off behind its head."""
        return frozenset(delivery.call.log_id for delivery in self.all if delivery.status == 200)

    @property
    def duplicates(self) -> tuple[Delivery, ...]:
        """Calls for an id that had been answered 200 in full before."""
        return tuple(delivery for delivery in self.all if delivery.duplicate)

    @property
    def bodies(self) -> dict[str, bytes]:
        """The body of the first 200 of each id; of use if the receiver keeps bodies."""
        return {delivery.call.log_id: delivery.body for delivery in reversed(self.all) if delivery.delivered}

    def disorder(self, expected: Sequence[str] | None = None) -> list[Disorder]:
        """Violations of the order per user among first 200s; a user without id has no order.

        `expected`: the log ids in the order they should come in, where that is not the order of their text.
        """
        place = None if expected is None else {log_id: index for index, log_id in enumerate(expected)}
        lanes: dict[str, list[Delivery]] = {}
        for delivery in self.all:
            if delivery.delivered and delivery.call.user_id and not delivery.duplicate:
                lanes.setdefault(delivery.call.user_id, []).append(delivery)
        pairs = (pair for lane in lanes.values() for pair in pairwise(lane))
        return [found for earlier, later in pairs if (found := _disorder(earlier, later, place))]

    async def wait_for(self, count: int, timeout: float) -> None:
        """Until `count` different ids were answered 200. Raises `TimeoutError`, saying how many there were."""
        await self.wait_until(lambda _: len(self._done) >= count, timeout)

    async def wait_until(self, condition: Callable[[Journal], bool], timeout: float) -> None:
        """Until the condition holds; it is asked after every delivery, so let it be cheap. Raises `TimeoutError`."""
        event = asyncio.Event()
        self._changed.add(event)
        try:
            async with asyncio.timeout(timeout):
                while not condition(self):
                    event.clear()
                    await event.wait()
        except TimeoutError:
            counts = f"{len(self._done)} ids answered 200 in {len(self)} calls"
            raise TimeoutError(f"not reached within {timeout} s: {counts}") from None
        finally:
            self._changed.discard(event)

    def close(self) -> None:
        """Close the file. Idempotent."""
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)


def read_journal(file: Path) -> list[Delivery]:
    """What another process wrote, also while it writes (an unfinished last line is left out); without bodies and headers."""
    lines = file.read_bytes().split(b"\n")[:-1]
    found = [json.loads(line) for line in lines]
    return [Delivery(Call(**entry.pop("call")), **entry) for entry in found]


def _line(delivery: Delivery) -> bytes:
    fields = delivery._asdict()  # Public, despite its name: NamedTuple keeps its own methods apart from the fields.
    del fields["body"], fields["headers"]
    return json.dumps({**fields, "call": delivery.call._asdict()}).encode() + b"\n"


def _disorder(earlier: Delivery, later: Delivery, place: Mapping[str, int] | None) -> Disorder | None:
    first, second = earlier.call, later.call
    if (first.log_id > second.log_id) if place is None else (place[first.log_id] > place[second.log_id]):
        return Disorder(first.user_id, first.log_id, second.log_id, "out of order")
    if second.arrived_ns < earlier.answered_ns:
        return Disorder(first.user_id, first.log_id, second.log_id, "side by side")
    return None
