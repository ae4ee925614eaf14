"""How far the log is delivered, who works on it, and what holds it up: values, and the sentence that sums them up. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from admin.actions.looking.status_rules import RulesSeen, rules_seen
from admin.actions.looking.wording import age, counted, since
from admin.actions.operator_state import OperatorState
from consumer.partitions.ledger import Ledger
from shared.documents.replica import FORGOTTEN, ConsumerReport, PollerReport, ReplicaDocument
from shared.transport.port import Checkpoint, Consumers, Progress
from shared.words import BreakerState


class DeliveryState(StrEnum):
    """The first one that fits."""

    PAUSED = "paused"
    NO_CONSUMER = "no_consumer"
    NO_POLLER = "no_poller"
    WEBHOOK_DOWN = "webhook_down"
    DELIVERING = "delivering"
    IDLE = "idle"


#: Nothing is to be done.
HEALTHY = frozenset({DeliveryState.DELIVERING, DeliveryState.IDLE})


@dataclass(frozen=True, slots=True, kw_only=True)
class OldestEvent:
    """The oldest undelivered event of a partition."""

    log_id: str
    #: The type code; empty for a record that is not ours.
    type: str
    #: When it was published, in seconds since the epoch.
    since: float
    #: Failed ones; None: no consumer says.
    attempts: int | None
    #: Empty: no consumer says, or there was none yet.
    last_outcome: str
    #: Why rules keep it from being sent, in words; empty: they do not, or no consumer says.
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionStatus:
    partition: int
    #: The oldest offset still there, and the one that the next record gets.
    begin: int
    end: int
    #: The committed offset; None: nothing was ever committed.
    committed: int | None
    #: Records from the committed offset on.
    lag: int
    #: Of these, how many are completed while an earlier one is not.
    done_beyond: int
    #: The live replica that says that it owns it.
    owner: str | None = None
    #: None: there is none, or it cannot be told.
    oldest: OldestEvent | None = None

    @property
    def undelivered(self) -> int:
        return self.lag - self.done_beyond


def partition_status(partition: int, progress: Progress) -> PartitionStatus:
    committed, known = progress.committed, 0
    if committed:
        ledger = Ledger(committed)
        ledger.forget_before(progress.begin)
        # Counted from where the lag begins: retention may have moved that beyond the committed offset.
        known = ledger.position + ledger.beyond - max(progress.begin, committed.offset)
    return PartitionStatus(
        partition=partition,
        begin=progress.begin,
        end=progress.end,
        committed=committed.offset if committed else None,
        lag=progress.lag,
        done_beyond=min(max(known, 0), progress.lag),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Everything that `status` shows, as of `now` (seconds since the epoch)."""

    now: float
    #: Which log: `transport`, and where that lies, by name.
    log: Mapping[str, str]
    partitions: tuple[PartitionStatus, ...]
    #: None: it cannot be told.
    consumers: Consumers | None
    #: None: it cannot be told, or nothing was ever stored.
    checkpoint: Checkpoint | None
    operator: OperatorState
    #: None: they cannot be counted.
    dead_letters: int | None
    #: What cannot be known, a sentence each.
    unknown: tuple[str, ...] = ()

    @property
    def undelivered(self) -> int:
        return sum(row.undelivered for row in self.partitions)

    @property
    def live(self) -> tuple[ReplicaDocument, ...]:
        return self.operator.live(self.now)

    @property
    def consumer_reports(self) -> tuple[ConsumerReport, ...]:
        """Of live replicas, in this group: other groups deliver the same log to another webhook."""
        return tuple(filter(None, (one.consumer_in(self.group) for one in self.live)))

    @property
    def group(self) -> str:
        """Empty where the log has only one, or where it cannot be told."""
        return self.consumers.group if self.consumers else ""

    @property
    def poller_reports(self) -> Mapping[str, PollerReport]:
        """Of live replicas, by their id."""
        return {one.id: one.poller for one in self.live if one.poller}

    @property
    def caught_up(self) -> float | None:
        """When Auth0 last had nothing newer than the checkpoint, in seconds since the epoch; None: not known.

        The checkpoint keeps it, of a quiet tenant ten minutes late; a poller that is caught up knows better.
        """
        stored = self.checkpoint.caught_up if self.checkpoint else None
        polled = [one.last_poll for one in self.poller_reports.values() if one.leading and one.caught_up]
        return max((moment for moment in (stored, *polled) if moment is not None), default=None)

    @property
    def checkpoint_age(self) -> float | None:
        """Seconds since then, as the metric `checkpoint_age_seconds`: near 0 while the poller keeps up. None: not known."""
        return None if self.caught_up is None else max(0.0, self.now - self.caught_up)

    @property
    def members(self) -> int | None:
        """Consumers at the moment, by the group where the log has one, else by what they say; None: it cannot be told."""
        if self.consumers and self.consumers.members is not None:
            return self.consumers.members
        return len(self.consumer_reports) if self.operator.readable else None

    @property
    def clocks_differ(self) -> bool:
        """The group has members, and all that consumers wrote is too old to count: it may be the clock of this machine."""
        wrote = any(one.consumer_in(self.group) for one in self.operator.replicas)
        return bool(self.consumers and self.consumers.members) and wrote and not self.consumer_reports

    @property
    def doubtful(self) -> bool:
        """A process counts as stale though the group may have it as a member, or though it was the active poller a moment ago.

        Replicas write every few seconds: who looks again for so long knows it whatever the clocks say.
        """
        if not (self.consumers and self.consumers.members):
            return False
        stale = [one for one in self.operator.replicas if self.operator.is_stale(one, self.now)]
        missing = self.consumers.members > len(self.consumer_reports) and any(one.consumer_in(self.group) for one in stale)
        led = [one for one in stale if one.poller and one.poller.leading and self.now - one.seen < FORGOTTEN]
        return missing or (bool(led) and not any(one.leading for one in self.poller_reports.values()))

    @property
    def used(self) -> bool:
        """Whether a consumer ever worked on this log. If not, the group may be a new or a wrong one."""
        return bool(self.members) or any(row.committed is not None for row in self.partitions)

    @property
    def oldest(self) -> OldestEvent | None:
        found = [row.oldest for row in self.partitions if row.oldest]
        return min(found, key=lambda event: event.since, default=None)

    @property
    def down(self) -> ConsumerReport | None:
        """The consumer whose breaker has not been closed for the longest time."""
        broken = [one for one in self.consumer_reports if one.breaker.state is not BreakerState.CLOSED]
        return min(broken, key=lambda one: one.breaker.since or self.now, default=None)

    @property
    def rules(self) -> RulesSeen:
        return rules_seen(self.live)

    @property
    def rates(self) -> dict[str, float]:
        """What all live replicas together did in a second, by name."""
        names = sorted({name for one in self.live for name in one.rates})
        return {name: sum(one.rates.get(name, 0.0) for one in self.live) for name in names}

    @property
    def state(self) -> DeliveryState:
        return next(_fitting(self))[0]

    @property
    def sentence(self) -> str:
        """Everything in one line for a person."""
        return f"{'; '.join([next(_fitting(self))[1], *_waiting(self), *_beside(self)])}."


def _fitting(seen: Overview) -> Iterator[tuple[DeliveryState, str]]:
    """Yields the states that fit, in words too, the first one first. What cannot be known fits none."""
    desired, down = seen.operator.desired, seen.down
    if desired and desired.paused:
        yield DeliveryState.PAUSED, f"Paused by {desired.by} since {since(desired.since, seen.now)}: {desired.why}"
    elif desired is None and any(one.paused for one in seen.consumer_reports):
        yield DeliveryState.PAUSED, "Paused: consumers hold to a pause that is gone from the control table"
    if seen.members == 0:
        yield DeliveryState.NO_CONSUMER, _no_consumer(seen)
    if seen.operator.readable and not any(one.leading for one in seen.poller_reports.values()):
        standby = f"{counted(len(seen.poller_reports), 'poller')} on standby" if seen.poller_reports else "no poller is running"
        yield DeliveryState.NO_POLLER, f"Nothing new is read from Auth0: {standby}"
    if down:
        when = f" since {since(down.breaker.since, seen.now)}" if down.breaker.since else ""
        yield DeliveryState.WEBHOOK_DOWN, f"Down: the webhook {down.breaker.last_outcome or 'takes no event'}{when}"
    if seen.undelivered:
        yield DeliveryState.DELIVERING, "Delivering"
    yield DeliveryState.IDLE, "Idle"


def _no_consumer(seen: Overview) -> str:
    group = seen.consumers.group if seen.consumers else ""
    if seen.used:
        return f"No consumer is running{f': the group {group} has no member' if group else ''}"
    return f"No consumer has joined {f'the group {group} (KAFKA_GROUP)' if group else 'this log'} yet"


def _waiting(seen: Overview) -> Iterator[str]:
    if not seen.undelivered:
        yield "everything is delivered" if seen.used else "nothing waits in the log"
        return
    oldest = seen.oldest
    yield f"{seen.undelivered:,} waiting{f', the oldest {age(seen.now - oldest.since)}' if oldest else ''}"
    if not seen.used and seen.consumers and seen.consumers.group:
        yield "where consumers run, they use another group"


def _beside(seen: Overview) -> Iterator[str]:
    """What the state alone does not tell."""
    if seen.state is DeliveryState.PAUSED and seen.members == 0:
        yield "no consumer is running"
    if seen.dead_letters:
        yield counted(seen.dead_letters, "dead letter")
    yield from seen.rules.warnings
    if not seen.operator.readable:
        yield "whether it is paused cannot be seen"
