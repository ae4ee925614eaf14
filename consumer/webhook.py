"""The webhook as the worker sees it: a call, and what came of one attempt at it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import Any, Protocol


class Call:
    """One request that may be retried. The client reads it and changes nothing."""

    __slots__ = ("attempt", "body", "failed", "log_id", "not_before", "sent_at", "spent")

    def __init__(self, log_id: str, body: bytes) -> None:
        #: What `webhook-id` says: the same on every attempt.
        self.log_id = log_id
        self.body = body
        #: The number of the attempt that is under way or comes next, from 1. Counts from 1 after a restart or rebalance.
        self.attempt = 1
        #: How many of those that failed count against the limit of attempts.
        self.spent = 0
        #: An attempt failed, spent or not.
        self.failed = False
        #: The moment, by the event loop's clock, that the receiver asked us to wait for with this one (`Retry-After`).
        self.not_before = 0.0
        #: When its last attempt began, by a clock that never goes back.
        self.sent_at = 0.0


class Cause(Enum):
    """What a failure shows about where to look; most show nothing. See `consumer.delivery_log`."""

    #: A 2xx that is not one of those that mean delivered.
    NOT_COUNTED = auto()
    REDIRECT = auto()
    DENIED = auto()
    NO_SUCH_PATH = auto()
    NO_POST = auto()
    GONE = auto()
    TOO_LARGE = auto()
    #: The webhook's name does not resolve.
    NO_ADDRESS = auto()
    NOT_LISTENING = auto()
    #: Plain HTTP was sent to a port that speaks TLS, and it said so.
    WANTS_TLS = auto()
    #: Plain HTTP was sent to a port that closed without a response, as most that speak TLS do.
    MAY_WANT_TLS = auto()
    #: TLS was spoken to a port that speaks something else.
    NO_TLS = auto()
    CERTIFICATE = auto()
    PROXY = auto()


class Failure(StrEnum):
    """Why an attempt got no response. The first two may have reached the receiver, the others have not."""

    #: No response in time.
    TIMEOUT = "timeout"
    #: The connection ended without a response that can be read.
    CUT = "cut"
    #: There was no connection.
    CONNECT = "connect"
    #: There was no TLS connection.
    TLS = "tls"
    #: By our own policy.
    REFUSED_ADDRESS = "refused_address"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of one request."""

    #: The status of the response; None where there was none.
    status: int | None
    #: Why there was no response, in a few words without personal data; empty where there was one.
    problem: str = ""
    #: Seconds that the receiver asked us to wait, at least 0 and without an upper bound; None: it did not ask.
    retry_after: float | None = None
    #: There was no response because it took too long.
    timed_out: bool = False
    #: False: no request was sent, since no file descriptor was left. That says nothing about the webhook or the event.
    sent: bool = True
    #: Where to look, where more than the status shows it.
    cause: Cause | None = None
    #: Why there was no response, where it is neither that it took too long nor that the connection ended.
    failure: Failure | None = None
    #: Where a redirect leads, safe to be shown.
    location: str = ""

    @property
    def summary(self) -> str:
        return self.problem or f"answered {self.status}"


#: Called with the very call that was sent.
OnResponse = Callable[[Any, Attempt], None]


class Webhook(Protocol):
    """Sends calls. Everything happens in one event loop."""

    def send(self, call: Call, on_response: OnResponse) -> None:
        """Starts one attempt under one total deadline. `on_response` is called later, once, unless the call is cancelled."""

    def cancel(self, call: Call) -> bool:
        """Cancels the attempt: its connection is closed and `on_response` will not be called.

        Returns whether the request was sent: the receiver may have it.
        """

    async def close(self) -> None:
        """Closes all connections. Idempotent."""
