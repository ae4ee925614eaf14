"""Every error of this project, named for the situation; its message says what to do.

WebhooksError
├── ConfigurationError      a setting is missing, malformed or at odds with another    → exit code 2
├── EnvironmentUnusable     something outside of this process is not as it must be     → exit code 3
│   ├── TransportUnusable   the log (SQLite file, Kafka) cannot be used as it is
│   │   └── TransportUnreachable  it broke off or did not respond, so nothing is known; a start tries again for a while
│   ├── GapFound            entries are lost and ON_GAP=stop: an operator says where to go on
│   ├── CredentialsRefused  Auth0 does not know this application, or it may not use the Management API
│   └── ScopeMissing        Auth0 knows the application, but it may not read logs
├── Transient               passes by itself or is repaired elsewhere; the caller waits and tries again
│   ├── Auth0Unavailable    no usable response from Auth0: connection, timeout, 5xx, a response we cannot read
│   ├── PageInvalid         a response arrived that is no page of log entries
│   ├── CheckpointUnknown   Auth0 does not know the log id to go on from: there may be a gap
│   ├── RateLimited         Auth0 asks us to wait, and for how long
│   └── PublishFailed       not every record of a page was acknowledged; the checkpoint did not move
├── LeaseLost               another poller is the active one now
└── RecordInvalid           a record in the topic that we did not write, or cannot read
    └── DocumentNewer       a document of a version that only a newer release knows
"""

from __future__ import annotations

from collections.abc import Sequence


class WebhooksError(Exception):
    """Base of all our errors."""


class ConfigurationError(WebhooksError):
    """Settings that cannot be used; `problems` holds one line for each."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class EnvironmentUnusable(WebhooksError):
    """Something outside of this process is not as it must be; a person has to act."""


class TransportUnusable(EnvironmentUnusable):
    """The log cannot be used as it is."""


class TransportUnreachable(TransportUnusable):
    """The log broke off or did not respond."""


class GapFound(EnvironmentUnusable):
    """Entries may be lost, and `ON_GAP=stop`."""


class CredentialsRefused(EnvironmentUnusable):
    """Auth0 refuses a token."""


class ScopeMissing(EnvironmentUnusable):
    """The token lacks a scope that the endpoint wants."""


class Transient(WebhooksError):
    """Worth another try, later."""


class Auth0Unavailable(Transient):
    """No usable response from Auth0."""


class PageInvalid(Transient):
    """The response is no page of log entries. Nothing of it was used and the checkpoint stays."""


class CheckpointUnknown(Transient):
    """Auth0 does not know the checkpoint's log id, or not any more; both the checkpoint and the entry itself were asked for."""

    def __init__(self, log_id: str, status: str) -> None:
        super().__init__(f"Auth0 does not know the log id {log_id} of the checkpoint, or not any more ({status})")


class RateLimited(Transient):
    """Auth0 returned 429; `wait` is in seconds from now."""

    def __init__(self, message: str, *, wait: float) -> None:
        super().__init__(message)
        self.wait = wait


class PublishFailed(Transient):
    """Not every record of a page was acknowledged."""


class LeaseLost(WebhooksError):
    """This poller is no longer the active one."""


class RecordInvalid(WebhooksError):
    """A record without the headers that our producer writes."""


class DocumentNewer(RecordInvalid):
    """A stored document of a newer version than this release knows."""
