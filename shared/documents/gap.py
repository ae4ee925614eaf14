"""Events that are lost, or may be: one document for each gap, written before anything goes on past it, and never changed after.

Its key is made of what was found, not of when: a process that was killed right after writing it finds the same gap again, and
writes the same document over the first one. The newest `MOST` are kept, none for longer than `LONGEST_KEPT`; consumers remove
what is beyond that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from shared.documents.codec import Codec, Count, Moment, Seconds
from shared.words import GapPolicy

PREFIX: Final = "gap/"
VERSION: Final = 1
MOST: Final = 1000
LONGEST_KEPT: Final = 90 * 86400.0  # seconds


class GapKind(StrEnum):
    """Where the events went."""

    #: Auth0 may have removed entries before they were read.
    AUTH0 = "auth0"
    #: One entry is too large for the topic; Auth0 still has it for a while.
    TOO_LARGE = "too_large"
    #: The topic's retention removed records before they were delivered.
    RETENTION = "retention"
    #: The brokers have forgotten the group's offsets: nothing is lost, delivered events are delivered again.
    OFFSETS = "offsets"


@dataclass(frozen=True, slots=True, kw_only=True)
class GapDocument:
    """Texts are empty, numbers None where there is nothing to tell."""

    #: Of `TOO_LARGE` the log id.
    id: str
    kind: GapKind
    #: When it was found.
    time: Moment
    #: Which replica found it.
    by: str
    #: How it was found, as a sentence.
    why: str
    #: What ON_GAP says; gaps behind the topic are always passed.
    policy: GapPolicy
    #: True: events are lost; False: they may be.
    certain: bool
    #: The last entry before it that was read, and its date as Auth0 wrote it. Of `TOO_LARGE` the entry itself.
    before: str
    before_date: str
    #: The first entry after it; empty: Auth0 had none.
    after: str
    after_date: str
    #: For how long events may be missing, at most; None: nothing tells.
    span: Seconds | None
    #: Of the records that are gone: their partition, the first and the last offset.
    partition: Count | None
    first_offset: Count | None
    last_offset: Count | None
    #: Of an entry that is too large: bytes.
    size: Count | None
    #: Of the same, hexadecimal.
    sha256: str

    @property
    def key(self) -> str:
        return PREFIX + self.id

    def encode(self) -> bytes:
        return _CODEC.encode(self)


_CODEC: Final = Codec(GapDocument, name="gap report", version=VERSION)


def gaps(documents: Mapping[str, bytes], unreadable: dict[str, str] | None = None) -> list[GapDocument]:
    """Returns those in a snapshot of the control table, the oldest first.

    `unreadable` gets the reason, by key, for each that this release cannot read.
    """
    found = _CODEC.under(PREFIX, documents, {} if unreadable is None else unreadable)
    return sorted((gap for _, gap in found), key=lambda gap: (gap.time, gap.id))


def surplus(documents: Mapping[str, bytes], now: float) -> list[str]:
    """Returns the keys to delete, the oldest first. What this release cannot read stays, and counts for nothing."""
    found = gaps(documents)
    kept = len(found) - MOST
    return [gap.key for place, gap in enumerate(found) if place < kept or gap.time < now - LONGEST_KEPT]
