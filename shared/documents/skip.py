"""What operators and consumers write about a skip: stored documents, each with one writer.

The operator asks with `skip/REQUEST` and withdraws by deleting it. Each consumer that has taken the event replies under
`skip-answer/REQUEST/MEMBER`:

    taken ──▶ setting-aside ──▶ set-aside
      │ │           │
      │ └──▶ left ◀─┘           withdrawn, expired, or the partition was lost: this consumer does nothing more
      └──▶ delivered            it received the 200

A withdrawal and a dead letter cannot miss each other: both sides write first and read the table afterwards, so at least one
sees the other's document. A consumer writes the dead letter only when one snapshot shows both the request and its own
`setting-aside`. An operator who has withdrawn, and then sees no `setting-aside`, knows that none follows. No clock is needed
for that; the times are there so that a request whose operator is gone does not act hours later.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Final

REQUESTS: Final = "skip/"
REPLIES: Final = "skip-answer/"
#: 1: `skip/LOG_ID` of an earlier release; such a request is ignored, and its operator withdraws it.
VERSION: Final = 2
#: Seconds that the clocks of operator and consumer may differ.
SKEW: Final = 60.0


class SkipStatus(StrEnum):
    """How far a consumer is with a request."""

    TAKEN = "taken"
    SETTING_ASIDE = "setting-aside"
    SET_ASIDE = "set-aside"
    DELIVERED = "delivered"
    LEFT = "left"


#: After one of these, of any consumer, the request is finished.
FINAL: Final = frozenset({SkipStatus.SET_ASIDE, SkipStatus.DELIVERED})


@dataclass(frozen=True, slots=True, kw_only=True)
class SkipRequest:
    id: str
    log_id: str
    by: str
    why: str
    #: Seconds since the epoch, by the operator's clock.
    asked: float
    #: The same; `SKEW` is in it.
    until: float

    @property
    def key(self) -> str:
        return REQUESTS + self.id

    @property
    def reason(self) -> str:
        """As it stands in the dead letter."""
        return f"skipped by {self.by}: {self.why}"

    def is_timely(self, now: float) -> bool:
        return self.asked - SKEW <= now <= self.until

    def encode(self) -> bytes:
        return _encode(asdict(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class SkipReply:
    request: str
    #: Tells consumers apart; new with each start.
    member: str
    #: Host and process, for people.
    name: str
    log_id: str
    status: SkipStatus
    #: Of the request.
    until: float

    @property
    def key(self) -> str:
        return f"{REPLIES}{self.request}/{self.member}"

    def encode(self) -> bytes:
        return _encode({"word" if name == "status" else name: value for name, value in asdict(self).items()})


@dataclass(slots=True)
class SkipDocuments:
    """The control table as far as it is about skips."""

    #: By their id.
    requests: dict[str, SkipRequest] = field(default_factory=dict)
    #: By their key.
    replies: dict[str, SkipReply] = field(default_factory=dict)
    #: Keys of documents that this release cannot read.
    unknown: set[str] = field(default_factory=set)

    @classmethod
    def parse(cls, documents: Mapping[str, bytes]) -> SkipDocuments:
        parsed = cls()
        for key, text in documents.items():
            if not key.startswith((REQUESTS, REPLIES)):
                continue
            document = _parse(key, text)
            if isinstance(document, SkipRequest):
                parsed.requests[document.id] = document
            elif isinstance(document, SkipReply):
                parsed.replies[key] = document
            else:
                parsed.unknown.add(key)
        return parsed

    def active(self, now: float) -> list[SkipRequest]:
        """The requests to act on, the oldest first: not withdrawn, not expired, and not finished."""
        finished = {reply.request for reply in self.replies.values() if reply.status in FINAL}
        active = [one for one in self.requests.values() if one.id not in finished and one.is_timely(now)]
        return sorted(active, key=lambda one: (one.asked, one.id))


def _encode(fields: dict[str, object]) -> bytes:
    return json.dumps({"v": VERSION, **fields}).encode()


def _parse(key: str, text: bytes) -> SkipRequest | SkipReply | None:
    """None: of another version or form, or it is not under its own key."""
    document: SkipRequest | SkipReply
    try:
        fields = json.loads(text)
        if fields["v"] != VERSION:
            return None
        if key.startswith(REQUESTS):
            document = SkipRequest(
                **{name: str(fields[name]) for name in ("id", "log_id", "by", "why")},
                asked=float(fields["asked"]),
                until=float(fields["until"]),
            )
        else:
            document = SkipReply(
                **{name: str(fields[name]) for name in ("request", "member", "name", "log_id")},
                status=SkipStatus(fields["word"]),
                until=float(fields["until"]),
            )
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
    times = (document.until, document.asked) if isinstance(document, SkipRequest) else (document.until,)
    return document if document.key == key and all(map(math.isfinite, times)) else None
