"""What operators want of the delivery as a whole: one document, written by `pause` and `resume`, read by every consumer.

It is never deleted: `resume` writes `paused=False`. So a document that was there and is gone means a table that was lost, and
consumers hold to the last state that they know. A log without one delivers.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from shared.documents.codec import Codec, Moment

KEY: Final = "desired/delivery"
VERSION: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredDelivery:
    """`DesiredDelivery.new` makes one; `put` it under `KEY`."""

    #: Another one with each change: replicas say by it which state they have taken on.
    id: str
    #: No call begins while this is True.
    paused: bool
    by: str
    why: str
    since: Moment

    @classmethod
    def new(cls, *, paused: bool, by: str, why: str, now: float) -> DesiredDelivery:
        """`now`: seconds since the epoch."""
        return cls(id=uuid.uuid4().hex, paused=paused, by=by, why=why, since=now)

    @property
    def sentence(self) -> str:
        """Of a pause, for people."""
        return f"Paused by {self.by} since {datetime.fromtimestamp(self.since, UTC):%Y-%m-%d %H:%M} UTC: {self.why}"

    def encode(self) -> bytes:
        return _CODEC.encode(self)


_CODEC: Final = Codec(DesiredDelivery, name="desired state", version=VERSION)


def desired(documents: Mapping[str, bytes]) -> DesiredDelivery | None:
    """Returns the desired state in a snapshot of the control table; None: nothing was ever asked for, deliver.

    Raises `RecordInvalid`, which says why, for one that this release cannot read.
    """
    text = documents.get(KEY)
    return None if text is None else _CODEC.decode(text)
