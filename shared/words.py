"""Words that settings, documents and other parts share."""

from __future__ import annotations

from enum import StrEnum


class Ordering(StrEnum):
    KEY = "key"
    PARTITION = "partition"
    NONE = "none"


class BatchForm(StrEnum):
    #: A JSON array.
    ARRAY = "true"
    #: JSON lines: an event a line. Line breaks inside an entry become spaces, which JSON allows.
    LINES = "lines"


class BreakerState(StrEnum):
    """Of the circuit breaker."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class GapPolicy(StrEnum):
    """What the poller does where entries of Auth0's log may be lost."""

    #: Go on at the oldest entry that Auth0 still has.
    CONTINUE = "continue"
    #: End, until an operator says where to go on.
    STOP = "stop"


class OnError(StrEnum):
    """What becomes of an event when a rule failed, took too long or crashed."""

    #: It goes out with what happened.
    DELIVER = "deliver"
    #: Its chain runs again, and its key waits.
    HOLD = "hold"
    DEAD_LETTER = "dead-letter"


class OnBroken(StrEnum):
    """What rules that cannot be loaded at the start mean for the process."""

    STOP = "stop"
    #: The others run without them.
    SKIP = "skip"


class PiiMode(StrEnum):
    """What becomes of personal data before an event leaves the producer."""

    KEEP = "keep"
    MASK = "mask"
    HASH = "hash"


class PiiField(StrEnum):
    """A kind of personal data that `PII_FIELDS` can name."""

    FIRST_NAME = "first_name"
    LAST_NAME = "last_name"
    USERNAME = "username"
    EMAIL = "email"
    PHONE = "phone"
    ADDRESS = "address"
    IP = "ip"
    USER_ID = "user_id"
