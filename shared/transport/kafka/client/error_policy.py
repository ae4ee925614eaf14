"""What to do about an exception of the library that comes out of a poll or a commit. Pure."""

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


class ErrorAction(Enum):
    #: It passes by itself: go on polling.
    WAIT = auto()
    #: A right or a credential is missing: a person has to act; go on trying until then.
    DENIED = auto()
    #: No waiting helps, and a person has to act.
    GIVE_UP = auto()
    #: An unknown error: the process ends, and its supervisor starts it again.
    CRASH = auto()


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


def action_for(error: Exception) -> ErrorAction:
    if is_denied(error) or isinstance(error, SaslAuthenticationFailedError):
        return ErrorAction.DENIED
    if isinstance(error, tuple(_HOPELESS)):
        return ErrorAction.GIVE_UP
    return ErrorAction.WAIT if isinstance(error, RetriableError) else ErrorAction.CRASH


def advice_for(error: Exception, *, group: str, topic: str, session: float) -> str:
    """Returns what a person has to do about an error whose action is to give up."""
    text = next(text for kind, text in _HOPELESS.items() if isinstance(error, kind))
    return text.format(group=group, topic=topic, session=session)
