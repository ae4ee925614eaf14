"""What a receiver was sent and how it responded: the oracle of the tests, the demo and the benchmarks.

An entry is written before the first byte of its response is sent, so the journal always contains every 200 that a client can have
seen. One event loop writes; every method but `wait_for` and `wait_until` may be called from any thread.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple


class ReceivedCall(NamedTuple):
    """A request as it arrived. A text field is empty if the body has no usable value. (A NamedTuple: one is made per call.)"""

    #: When all of it had arrived, by the monotonic clock.
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


class JournalEntry(NamedTuple):
    """A call and its response. The names of the fields are the keys in the journal's file."""

    call: ReceivedCall
    #: When the response began, by the monotonic clock.
    answered_ns: int
    #: `ok`, the name of a fault, or `gone` if the client did not wait for the response.
    verdict: str
    #: The status that the client can have read; None: there was none.
    status: int | None
    #: The response was sent in full.
    whole: bool
    #: An earlier call with the same log id got a whole 200.
    duplicate: bool
    #: Empty unless the receiver keeps bodies.
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def delivered(self) -> bool:
        """The client got a whole 200."""
        return self.status == 200 and self.whole


class Disorder(NamedTuple):
    """Two deliveries of one user that should not have come like this."""

    user_id: str
    earlier: str
    later: str
    #: `out of order` (by log id) or `side by side` (the later one arrived before the response to the earlier one).
    kind: str


class Journal:
    """Append-only; with a `file` also on disk, one JSON object a line.

    `keep_entries=False`: only numbers and the ids that got a 200 stay in memory, for a receiver that runs for days.

    Raises `OSError` if the file cannot be opened.
    """

    def __init__(self, file: Path | None = None, *, keep_entries: bool = True) -> None:
        self._entries: list[JournalEntry] = []
        self._keep_entries = keep_entries
        self._calls = 0
        #: Calls for an id that had got a whole 200 before.
        self.again = 0
        #: The ids that got a whole 200, in the order of their first one.
        self._done: dict[str, None] = {}
        self._changed: set[asyncio.Event] = set()
        self._fd = None if file is None else os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def append(
        self,
        call: ReceivedCall,
        *,
        answered_ns: int,
        verdict: str,
        status: int | None,
        whole: bool,
        body: bytes = b"",
        headers: tuple[tuple[str, str], ...] = (),
    ) -> JournalEntry:
        """Record a call and the response that follows. To be called in the receiver's event loop, before it responds."""
        duplicate = call.log_id in self._done
        entry = JournalEntry(call, answered_ns, verdict, status, whole, duplicate, body, headers)
        if self._fd is not None:
            os.write(self._fd, _line(entry))
        self._calls += 1
        self.again += duplicate
        if self._keep_entries:
            self._entries.append(entry)
        if entry.delivered and call.log_id:
            self._done[call.log_id] = None
        for event in self._changed:
            event.set()
        return entry

    def __len__(self) -> int:
        return self._calls

    @property
    def all(self) -> tuple[JournalEntry, ...]:
        """Every entry, in the order of the responses."""
        return tuple(self._entries)

    @property
    def delivered(self) -> tuple[str, ...]:
        """The ids that got a whole 200, each once, in the order of their first one."""
        return tuple(self._done)

    @property
    def maybe_delivered(self) -> frozenset[str]:
        """The ids for which a client can have read a 200, even if the response ended after its head."""
        return frozenset(entry.call.log_id for entry in self.all if entry.status == 200)

    @property
    def duplicates(self) -> tuple[JournalEntry, ...]:
        """Calls for an id that had got a whole 200 before."""
        return tuple(entry for entry in self.all if entry.duplicate)

    @property
    def bodies(self) -> dict[str, bytes]:
        """The body of the first whole 200 of each id; empty unless the receiver keeps bodies."""
        return {entry.call.log_id: entry.body for entry in reversed(self.all) if entry.delivered}

    def disorder(self, expected: Sequence[str] | None = None) -> list[Disorder]:
        """Returns the violations of the order per user among first 200s; events without a user have no order.

        `expected`: the log ids in their right order, where that is not the order of their text.
        """
        places = None if expected is None else {log_id: index for index, log_id in enumerate(expected)}
        by_user: dict[str, list[JournalEntry]] = {}
        for entry in self.all:
            if entry.delivered and entry.call.user_id and not entry.duplicate:
                by_user.setdefault(entry.call.user_id, []).append(entry)
        pairs = (pair for entries in by_user.values() for pair in pairwise(entries))
        return [found for earlier, later in pairs if (found := _disorder(earlier, later, places))]

    async def wait_for(self, count: int, timeout: float) -> None:
        """Waits until `count` different ids got a whole 200. Raises `TimeoutError`, which says how many there were."""
        await self.wait_until(lambda _: len(self._done) >= count, timeout)

    async def wait_until(self, condition: Callable[[Journal], bool], timeout: float) -> None:
        """Waits until the condition holds; it is checked after every entry, so it must be cheap. Raises `TimeoutError`."""
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


def _line(entry: JournalEntry) -> bytes:
    fields = entry._asdict()  # public: NamedTuple marks its own methods so, to keep them apart from the fields
    del fields["body"], fields["headers"]
    return json.dumps({**fields, "call": entry.call._asdict()}).encode() + b"\n"


def _disorder(earlier: JournalEntry, later: JournalEntry, places: Mapping[str, int] | None) -> Disorder | None:
    first, second = earlier.call, later.call
    if (first.log_id > second.log_id) if places is None else (places[first.log_id] > places[second.log_id]):
        return Disorder(first.user_id, first.log_id, second.log_id, "out of order")
    if second.arrived_ns < earlier.answered_ns:
        return Disorder(first.user_id, first.log_id, second.log_id, "side by side")
    return None
