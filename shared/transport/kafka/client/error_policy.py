"""What to do about an exception of the library that comes out of a poll or a commit. Pure, but for the limiter's memory."""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from kafka.errors import (
    GroupMaxSizeReachedError,
    InconsistentGroupProtocolError,
    InvalidGroupIdError,
    InvalidSessionTimeoutError,
    InvalidTopicError,
    RetriableError,
    SaslAuthenticationFailedError,
    UnsupportedCodecError,
    UnsupportedVersionError,
)

from shared.transport.kafka.client.errors import is_denied


class Remedy(Enum):
    #: It passes by itself: go on polling.
    WAIT = auto()
    #: A right or a credential is missing: a person has to act; until then go on trying, it heals.
    DENIED = auto()
    #: No waiting helps, and a person has to act.
    GIVE_UP = auto()
    #: We do not know it: the process ends, and its supervisor starts it anew.
    UNKNOWN = auto()


_HOPELESS: Final = {
    InconsistentGroupProtocolError: (
        "another program, or another version of auth0-webhooks, is in the consumer group {group}: "
        "stop it, or give this one a group of its own with KAFKA_GROUP"
    ),
    InvalidSessionTimeoutError: (
        "the brokers do not allow a session timeout of {session:g} s "
        "(group.min.session.timeout.ms, group.max.session.timeout.ms): change KAFKA_SESSION_TIMEOUT"
    ),
    InvalidGroupIdError: "the brokers refuse the group name {group!r}: change KAFKA_GROUP",
    GroupMaxSizeReachedError: "the consumer group {group} is full (group.max.size at the brokers): run fewer replicas",
    InvalidTopicError: "the brokers refuse the topic name {topic!r}: change KAFKA_TOPIC",
    UnsupportedCodecError: (
        "the records of {topic} are compressed in a way that needs a library which is not installed: "
        "set the topic's compression.type to gzip or producer"
    ),
    UnsupportedVersionError: "these brokers are too old for auth0-webhooks: it needs Apache Kafka 2.1 or newer",
}


def remedy(error: Exception) -> Remedy:
    if is_denied(error) or isinstance(error, SaslAuthenticationFailedError):
        return Remedy.DENIED
    if isinstance(error, tuple(_HOPELESS)):
        return Remedy.GIVE_UP
    return Remedy.WAIT if isinstance(error, RetriableError) else Remedy.UNKNOWN


def advice(error: Exception, *, group: str, topic: str, session: float) -> str:
    """The line for a person, for an error whose remedy is to give up."""
    text = next(text for kind, text in _HOPELESS.items() if isinstance(error, kind))
    return text.format(group=group, topic=topic, session=session)


class Seldom:
    """Says whether it is time to say something again; `interval` in seconds. Times are handed in."""

    def __init__(self, interval: float = 30.0) -> None:
        self._interval = interval
        self._said: dict[str, float] = {}

    def __call__(self, what: str, now: float) -> bool:
        if now - self._said.get(what, float("-inf")) < self._interval:
            return False
        self._said[what] = now
        return True
