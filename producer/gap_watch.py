"""What the poller does where Auth0 does not know its checkpoint any more: it looks, records a gap, then goes on or stops.

In the event loop, between two pages; nothing is published meanwhile. A gap is stored before the checkpoint passes it. Where the
control table cannot be written, after some tries the line in our own log has to do: events must not wait for a report.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import Final

from producer.cursor import Cursor, Page
from producer.gaps import LATENESS, Continuity, Doubt, continuity, moment, span
from producer.observer import ProducerObserver
from producer.start import SearchableLog
from shared.documents.gap import GapDocument, GapKind
from shared.errors import CheckpointUnknown, GapFound, PublishFailed, TransportUnusable
from shared.event import Event
from shared.transport.port import OLDEST, Checkpoint, Transport
from shared.words import GapPolicy

#: Tries to store a report, each with the pause of a failed turn after it.
_TRIES: Final = 3


class GapWatch:
    """`retention`: seconds for which Auth0 keeps entries. `clock`: seconds since the epoch. `replica`: who finds the gaps."""

    def __init__(
        self,
        *,
        source: SearchableLog,
        policy: GapPolicy,
        retention: float,
        observer: ProducerObserver,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._source = source
        self._policy = policy
        self.retention = retention
        self._doubt = Doubt(retention)
        self._observer = observer
        self._clock = clock
        self._unlooked = False
        self._failed_tries = 0
        #: A page that is not published comes again, and so does what was found before it.
        self._recorded: set[str] = set()
        self.replica = ""
        #: Where the control table is; None: reports are only logged.
        self.transport: Transport | None = None

    def stored(self, checkpoint: Checkpoint) -> None:
        """The poller goes on from this checkpoint, which it has read from the log."""
        self._unlooked = self._doubt.of_stored(checkpoint, self._clock())

    async def look(self, checkpoint: Checkpoint) -> None:
        """Asks for a stored checkpoint that is old, once. Raises `CheckpointUnknown`, and what the source raises."""
        if self._unlooked:
            await self._require(checkpoint, "the checkpoint is old, and its entry is gone: 404")
            self._unlooked = False

    async def examine(self, checkpoint: Checkpoint, page: Page) -> None:
        """Asks for the checkpoint where the page after it begins in an odd place. Raises as `look` does."""
        if page.events:
            first, now = page.events[0], self._clock()
            overlaps = any(event.log_id == checkpoint.log_id for event in page.events)  # its entry is there
            if not overlaps and self._doubt.of_next(checkpoint, first, now):
                await self._require(checkpoint, f"the page after it begins with {first.log_id}, and its entry is gone: 404")
            self._doubt.seen(first, now)

    async def cross(self, lost: Checkpoint, error: CheckpointUnknown) -> Cursor:
        """Returns where to go on after a checkpoint that Auth0 does not know; a gap is recorded before.

        Raises `GapFound` where ON_GAP says so, `PublishFailed`, and what the source raises.
        """
        oldest, now = await self._source.first(), self._clock()
        found = continuity(lost, oldest, now=now, retention=self.retention)
        cursor = await self._beginning(lost, oldest)
        self._unlooked = False
        if found is Continuity.UNBROKEN:
            self._observer.checkpoint_expired(lost)
            return cursor
        missing = span(lost, oldest, now=now)
        gap = self._document(f"after-{lost.log_id}", GapKind.AUTH0, str(error), lost, oldest, span=missing)
        await self.record(gap)
        self._stop_at(gap)
        return cursor

    async def passed_over(self, checkpoint: Checkpoint, first: Event) -> None:
        """Records that `first` follows by a link that may pass entries over. Raises `GapFound` and as `record` does."""
        why = "Auth0 had no entry after it, time and again, but named another page, which has some"
        missing = span(checkpoint, first, now=self._clock())
        gap = self._document(f"after-{checkpoint.log_id}", GapKind.AUTH0, why, checkpoint, first, span=missing)
        await self.record(gap)
        self._stop_at(gap)

    def _stop_at(self, gap: GapDocument) -> None:
        if self._policy is GapPolicy.STOP:
            raise GapFound(_stopped(gap))

    async def too_large(self, event: Event) -> None:
        """Records an event that the log cannot take, before a page goes on without it. Raises as `record` does."""
        why = "the topic does not take a record of this size (max.message.bytes); Auth0 has the entry while it keeps it"
        size, digest = len(event.raw), hashlib.sha256(event.raw).hexdigest()
        place = Checkpoint(log_id=event.log_id, date=event.date)
        await self.record(self._document(event.log_id, GapKind.TOO_LARGE, why, place, size=size, sha256=digest))

    async def record(self, gap: GapDocument) -> None:
        """Stores a report and tells of it, once. Raises `PublishFailed`: try again later; after some tries it is only told."""
        if gap.key in self._recorded:
            return
        try:
            await self._store(gap)
        except (PublishFailed, TransportUnusable) as error:
            self._failed_tries += 1
            if self._failed_tries < _TRIES:
                raise PublishFailed(f"the report of a gap cannot be stored: {error}") from error
            self._observer.gap_not_recorded(gap, error)
        self._failed_tries = 0
        self._recorded.add(gap.key)
        self._observer.gap_found(gap)

    async def _store(self, gap: GapDocument) -> None:
        if self.transport is not None:
            table = await self.transport.control()
            try:
                await table.put(gap.key, gap.encode())
            finally:
                await table.close()

    async def _require(self, checkpoint: Checkpoint, why: str) -> None:
        entry = await self._source.entry(checkpoint.log_id)
        if entry is None:
            raise CheckpointUnknown(checkpoint.log_id, why)
        self._doubt.seen(entry, self._clock())

    async def _beginning(self, lost: Checkpoint, oldest: Event | None) -> Cursor:
        """Returns the place before the oldest entry that is newer than `lost`, if that is near.

        Entries that reached the log late are kept for longer than those around them, so the oldest ones may have been read.
        Where they are much older than the checkpoint it is another tenant's, and all of them are new.
        """
        cursor = Cursor(OLDEST)
        while oldest is not None and oldest.log_id <= lost.log_id and _near(lost, oldest):
            page = await cursor.read(self._source)
            read = sum(event.log_id <= lost.log_id for event in page.events)
            if read < len(page.events) or not page.events:
                last = page.events[read - 1] if read else None
                return Cursor(Checkpoint(log_id=last.log_id, date=last.date)) if last else cursor
            cursor, _ = cursor.past(page)
        return cursor

    def _document(
        self,
        id: str,  # noqa: A002  the field's name
        kind: GapKind,
        why: str,
        before: Checkpoint,
        after: Event | None = None,
        *,
        span: float | None = None,
        size: int | None = None,
        sha256: str = "",
    ) -> GapDocument:
        return GapDocument(
            id=id,
            kind=kind,
            time=self._clock(),
            by=self.replica,
            why=why,
            policy=self._policy if kind is GapKind.AUTH0 else GapPolicy.CONTINUE,
            certain=kind is GapKind.TOO_LARGE,
            before=before.log_id,
            before_date=before.date,
            after=after.log_id if after else "",
            after_date=after.date if after else "",
            span=span,
            partition=None,
            first_offset=None,
            last_offset=None,
            size=size,
            sha256=sha256,
        )


def _near(lost: Checkpoint, oldest: Event) -> bool:
    places = moment(lost), moment(Checkpoint(log_id=oldest.log_id, date=oldest.date))
    return places[0] is not None and places[1] is not None and abs(places[0] - places[1]) <= LATENESS


def _stopped(gap: GapDocument) -> str:
    after = " ".join(filter(None, (gap.after, gap.after_date))) or "nothing yet"
    return (
        f"{gap.key}: {gap.why}. Entries of Auth0's log may be lost between {gap.before} {gap.before_date} and {after}, and "
        "ON_GAP=stop: nothing was passed over. Either say where to go on, with `auth0-webhooks checkpoint set DATE --yes` or "
        "`auth0-webhooks checkpoint reset`, or set ON_GAP=continue, which goes on at the oldest entry that Auth0 still has"
    )
