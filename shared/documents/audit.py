"""Who changed what, when and why, and what came of it: one document for each command that changes something.

It is written before the command acts, without a result, and again after it; a command that was killed stands there without one.
The newest `MOST` are kept, none for longer than `LONGEST_KEPT`; each command removes what is beyond that.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from shared.documents.codec import Codec, Moment

PREFIX: Final = "audit/"
VERSION: Final = 1
MOST: Final = 1000
LONGEST_KEPT: Final = 90 * 86400.0  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    id: str
    time: Moment
    by: str
    #: The command and what it was about, such as `dead-letters purge 900…`.
    what: str
    #: Empty where the command does not ask.
    why: str
    #: In a few words; empty: it is under way, or was killed.
    result: str

    @classmethod
    def new(cls, *, by: str, what: str, why: str, now: float) -> AuditEntry:
        """`now`: seconds since the epoch."""
        return cls(id=uuid.uuid4().hex[:16], time=now, by=by, what=what, why=why, result="")

    @property
    def key(self) -> str:
        """Sorts by time."""
        return f"{PREFIX}{datetime.fromtimestamp(self.time, UTC):%Y%m%dT%H%M%S.%fZ}-{self.id}"

    def encode(self) -> bytes:
        return _CODEC.encode(self)


_CODEC: Final = Codec(AuditEntry, name="audit entry", version=VERSION)


def entries(documents: Mapping[str, bytes], unreadable: dict[str, str] | None = None) -> list[AuditEntry]:
    """Returns those in a snapshot of the control table, the oldest first.

    `unreadable` gets the reason, by key, for each that this release cannot read.
    """
    found = dict(_CODEC.under(PREFIX, documents, {} if unreadable is None else unreadable))
    return [found[key] for key in sorted(found)]


def surplus(documents: Mapping[str, bytes], now: float) -> list[str]:
    """Returns the keys to delete, by key alone: entries of other versions are removed in their time as well."""
    keys = sorted(key for key in documents if key.startswith(PREFIX))
    oldest = f"{PREFIX}{datetime.fromtimestamp(max(0.0, now - LONGEST_KEPT), UTC):%Y%m%dT%H%M%S.%fZ}"
    kept = len(keys) - MOST
    return [key for place, key in enumerate(keys) if place < kept or key < oldest]
