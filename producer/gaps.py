"""Whether entries of Auth0's log may be lost between the checkpoint and the first entry that comes after it. Pure.

What Auth0 says to the id of an entry that it has removed is documented nowhere: 400, 404, or 200 with its oldest entries. And a
quiet tenant loses the entry of the checkpoint without losing anything: as long as Auth0 said "nothing newer" within the time that
it keeps entries, everything that came since is still there. All moments and lengths of time are in seconds, since the epoch.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from shared.event import Event, log_id_time, moment_of
from shared.transport.port import Checkpoint

#: Entries reach Auth0's log so much later than their date says.
LATENESS: Final = 600.0
#: What Auth0 has shown is still there so much later: the next page comes within seconds.
_FRESH: Final = 60.0


class Continuity(Enum):
    #: Everything since the checkpoint is still there.
    UNBROKEN = auto()
    #: Entries that came after the checkpoint may have been removed.
    BROKEN = auto()
    #: Nothing tells.
    UNKNOWN = auto()


def continuity(checkpoint: Checkpoint, oldest: Event | None, *, now: float, retention: float) -> Continuity:
    """For a checkpoint whose id Auth0 does not know. `oldest`: the oldest entry that it has; None: it has none.

    `retention`: for how long Auth0 keeps entries.
    """
    if checkpoint.caught_up is not None and checkpoint.caught_up >= now - retention:
        if oldest is None:
            return Continuity.UNBROKEN
        date = _date(oldest)
        if date is None:
            return Continuity.UNKNOWN
        return Continuity.UNBROKEN if date > checkpoint.caught_up - LATENESS else Continuity.BROKEN
    if oldest is None or _date(oldest) is None or moment(checkpoint) is None:
        return Continuity.UNKNOWN
    return Continuity.BROKEN


def span(checkpoint: Checkpoint, oldest: Event | None, *, now: float) -> float | None:
    """Returns for how long entries may be missing, at most; None: not known."""
    since, until = moment(checkpoint), now if oldest is None else _date(oldest)
    if until is None:
        return None
    # A moment after the oldest entry is none of this log's: then the checkpoint may be another tenant's.
    known = [one for one in (since, checkpoint.caught_up) if one is not None and one <= until]
    return until - max(known) if known else None


def moment(checkpoint: Checkpoint) -> float | None:
    """Returns when the entry of the checkpoint happened; where its date is no use, when it came. None: not known."""
    found = moment_of(checkpoint.date) or log_id_time(checkpoint.log_id)
    return found.timestamp() if found else None


def _date(event: Event) -> float | None:
    found = moment_of(event.date) or log_id_time(event.log_id)
    return found.timestamp() if found else None


@dataclass(slots=True)
class Doubt:
    """When to ask Auth0 for the entry of the checkpoint: seldom, and never page by page.

    What Auth0 shows us proves how far back it keeps entries. While a poller catches up, each checkpoint is younger than the page
    that it came with, so none of them is asked for.
    """

    #: For how long Auth0 keeps entries, as it was told.
    retention: float
    #: For how long it keeps them at least, as it has shown.
    shown: float = 0.0

    def of_stored(self, checkpoint: Checkpoint, now: float) -> bool:
        """Returns whether to ask for a checkpoint that was just read from the log."""
        since = [one for one in (checkpoint.caught_up, moment(checkpoint)) if one is not None]
        return bool(checkpoint.log_id) and (not since or now - max(since) > self.retention / 2)

    def of_next(self, checkpoint: Checkpoint, first: Event, now: float) -> bool:
        """Returns whether to ask before `first` follows `checkpoint`."""
        if not checkpoint.log_id:
            return False
        if first.log_id <= checkpoint.log_id:
            return True
        before, after = moment(checkpoint), _date(first)
        if before is None or after is None or after - before <= LATENESS:
            return False
        if continuity(checkpoint, first, now=now, retention=self.retention) is Continuity.UNBROKEN:
            return False
        return now - before > max(self.retention / 2, self.shown + _FRESH)

    def seen(self, event: Event, now: float) -> None:
        """Auth0 has just shown this entry."""
        date = _date(event)
        if date is not None:
            self.shown = max(self.shown, now - date)
