"""Who changed what, when and why, and what came of it: one document for each command that changes something.

It is written before the command acts, without a result, and again after it; a command that was killed stands there without one.
The newest `MOST` are kept, none for longer than `LONGEST_KEPT`; each command removes what is beyond that. A command about so many
events that their ids do not fit into `what` has a digest of each, so that `show` can tell what became of every one of them.
"""

from __future__ import annotations

import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final

from shared.documents.codec import LONGEST, Codec, Moment

PREFIX: Final = "audit/"
VERSION: Final = 1
MOST: Final = 1000
LONGEST_KEPT: Final = 90 * 86400.0  # seconds
#: The most events of one entry; a command about more writes several. One with so many is 70 kB.
MOST_EVENTS: Final = 5_000


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
    #: Of the log ids that it was about, where these do not fit into `what`.
    digests: tuple[str, ...] = ()

    @classmethod
    def new(cls, *, by: str, what: str, why: str, now: float, log_ids: Sequence[str] = ()) -> AuditEntry:
        """`log_ids`: of the events that it is about, `MOST_EVENTS` at most. `now`: seconds since the epoch."""
        whole = " ".join([what, *log_ids])
        digests = tuple(map(_digest, log_ids)) if len(whole) > LONGEST else ()
        return cls(id=uuid.uuid4().hex[:16], time=now, by=by, what=whole, why=why, result="", digests=digests)

    def is_about(self, log_id: str) -> bool:
        return log_id in self.what.split() or (bool(self.digests) and _digest(log_id) in self.digests)

    @property
    def key(self) -> str:
        """Sorts by time."""
        return f"{PREFIX}{datetime.fromtimestamp(self.time, UTC):%Y%m%dT%H%M%S.%fZ}-{self.id}"

    def encode(self) -> bytes:
        return _CODEC.encode(self)


def _digest(log_id: str) -> str:
    return urlsafe_b64encode(sha256(log_id.encode("utf-8", "surrogatepass")).digest()[:8]).decode().rstrip("=")


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
