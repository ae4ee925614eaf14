"""What a process of ours says about itself, for `status` and `show`: written every few seconds, deleted when it stops.

No secret and no payload: of the webhook its host, of an event its id and type. All moments are by the clock of that process. Its
size is bounded: `EVENTS` events, texts of `codec.LONGEST` characters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field

from shared.documents.codec import Codec, Count, Moment, Seconds
from shared.words import BreakerState

PREFIX: Final = "replica/"
VERSION: Final = 1
#: Seconds between two documents of a replica, while nothing changes.
EVERY: Final = 5.0
#: Seconds after which a replica that was not heard of is not counted as running.
STALE: Final = 15.0
#: Seconds after which anyone may delete the document.
FORGOTTEN: Final = 600.0
#: The most events that one document names: the oldest of each partition, then those in flight, those whose rules run or will run
#: again, and those that wait for a retry.
EVENTS: Final = 50
#: The most rules that one document names.
RULES: Final = 50

Partition = Annotated[int, Field(ge=0, lt=2**31)]


class ReplicaRole(StrEnum):
    RUN = "run"
    PRODUCE = "produce"
    CONSUME = "consume"


class EventState(StrEnum):
    #: It waits to be sent: for its rules (`reason`), a free call, the breaker, the rate limit, or behind another event.
    WAITING = "waiting"
    IN_FLIGHT = "in_flight"
    #: It failed and waits for its next attempt.
    RETRYING = "retrying"
    #: Nothing of it starts: it is no record of ours, or an operator wants it set aside.
    HELD = "held"


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingEvent:
    """An event that a replica has taken and not completed."""

    partition: Partition
    offset: Count
    log_id: str
    #: Auth0's type code; empty for a record that is not ours.
    type: str
    #: When it was published.
    since: Moment
    state: EventState
    #: The oldest one of its partition that is not completed.
    oldest: bool
    #: Attempts that failed and count; of this owner of its partition.
    attempts: Count
    #: Of the last attempt, such as `answered 503`; empty before the first.
    last_outcome: str
    #: When it is tried again; None: it does not wait for a moment.
    next_try: Moment | None
    #: The rule that runs on it; empty: none does, or the release that wrote this knows no rules.
    rule: str = ""
    #: Why rules keep it from being sent, in words; empty: they do not.
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesReport:
    """Of a consumer that runs rules."""

    #: Of the rules and what is said about them: the same where the same runs.
    hash: str
    #: Names of those that run no more, since they crashed or hung on several events.
    switched_off: Annotated[tuple[str, ...], Field(max_length=RULES)]


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerReport:
    state: BreakerState
    #: Since when it is not closed; None while it is.
    since: Moment | None
    #: Of the failure that opened it, or of the last probe; empty while it is closed.
    last_outcome: str
    #: When the next probe goes; None unless it is open.
    probe_at: Moment | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerReport:
    #: Scheme, host and port.
    webhook: str
    #: This replica's part of `concurrent_calls`.
    share: Count
    concurrent_calls: Count
    in_flight: Count
    #: Events taken and not completed.
    window_events: Count
    waiting_retry_events: Count
    #: Completed while an earlier one of their partition is not.
    done_beyond: Count
    breaker: BreakerReport
    #: No call begins; those that are open (`in_flight`) still end.
    paused: bool
    #: The id of the desired state that this replica has taken on; empty where it has seen none.
    desired: str
    #: Those that it owns.
    partitions: tuple[Partition, ...]
    events: Annotated[tuple[PendingEvent, ...], Field(max_length=EVENTS)]
    #: None: it runs none, or the release that wrote this knows none.
    rules: RulesReport | None = None
    #: What `WEBHOOK_ORDERING` says; empty: the release that wrote this does not tell.
    ordering: str = ""
    #: Its consumer group in Kafka; empty on the embedded log, and where the release that wrote this does not say.
    group: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PollerReport:
    #: Auth0's domain.
    tenant: str
    #: False: it stands by.
    leading: bool
    #: The log id of its checkpoint; empty before the first page. Only where it leads.
    checkpoint: str
    #: The date of that entry as Auth0 wrote it.
    checkpoint_date: str
    #: When the checkpoint last moved; None: not since the start.
    checkpoint_moved: Moment | None
    #: When Auth0 last gave a page, empty ones included; None: not yet.
    last_poll: Moment | None
    #: The last page was empty: Auth0 has nothing newer.
    caught_up: bool
    #: Failed turns in a row.
    failures: Count
    #: Of the last failed turn; empty after a good one.
    last_error: str
    #: Requests that Auth0's rate limit has left; None: not known.
    rate_limit_remaining: Count | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaDocument:
    """Of `run` both reports are there, of `produce` and `consume` one."""

    #: Host, process, and a part that is new with each start.
    id: str
    role: ReplicaRole
    #: Of auth0-webhooks.
    version: str
    started: Moment
    #: When this was written.
    seen: Moment
    #: Sums since the start, by name: those of the log line `in the last minute`.
    counts: Mapping[str, Count]
    #: What was done in a second, of the same names: the mean over the last minute, or since the start.
    rates: Mapping[str, Seconds]
    consumer: ConsumerReport | None
    poller: PollerReport | None

    @property
    def key(self) -> str:
        return PREFIX + self.id

    def is_stale(self, now: float) -> bool:
        """`now`: seconds since the epoch, by the reader's clock; the clocks may differ by a few seconds."""
        return now - self.seen > STALE

    def consumer_in(self, group: str) -> ConsumerReport | None:
        """Returns its consumer where its partitions are those of this consumer group, as far as it says; "" is any group."""
        one = self.consumer
        return one if one and (group in ("", one.group) or not one.group) else None

    def encode(self) -> bytes:
        return _CODEC.encode(self)


_CODEC: Final = Codec(ReplicaDocument, name="replica document", version=VERSION)


def replicas(documents: Mapping[str, bytes], unreadable: dict[str, str] | None = None) -> dict[str, ReplicaDocument]:
    """Returns those in a snapshot of the control table, stale ones included, by their id.

    `unreadable` gets the reason, by key, for each that this release cannot read.
    """
    unreadable = {} if unreadable is None else unreadable
    found: dict[str, ReplicaDocument] = {}
    for key, document in _CODEC.under(PREFIX, documents, unreadable):
        if document.key == key:
            found[document.id] = document
        else:
            unreadable[key] = "its key is not its own"
    return found
