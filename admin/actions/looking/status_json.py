"""What `status --json` prints: an object whose keys stay. Moments are ISO 8601 in UTC, ages are seconds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from admin.actions.looking.status import OldestEvent, Overview, PartitionStatus
from shared.documents.replica import ReplicaDocument


def document(seen: Overview) -> dict[str, Any]:
    """Returns null for what cannot be known, and `unknown` says why. `poller`: the active one."""
    consumers, pollers, reports = seen.consumers, seen.poller_reports, seen.consumer_reports
    return {
        "sentence": seen.sentence,
        "state": seen.state.value,
        "transport": seen.log["transport"],
        "tenant": next((one.tenant for one in pollers.values()), None),
        "webhook": next((one.webhook for one in reports), None),
        "group": consumers.group if consumers else None,
        "members": seen.members,
        "paused": _paused(seen),
        "checkpoint": _checkpoint(seen),
        "poller": _poller(seen),
        "partitions": [_partition(row, seen) for row in seen.partitions],
        "replicas": [_replica(one, seen) for one in seen.operator.replicas],
        "breaker": _breaker(seen),
        "rules": _rules(seen),
        "undelivered": seen.undelivered,
        "dead_letters": seen.dead_letters,
        "gaps": len(seen.operator.gaps) if seen.operator.readable else None,
        "rates": seen.rates,
        "unknown": list(seen.unknown),
    }


def moment(seconds: float | None) -> str | None:
    """Seconds since the epoch to ISO 8601."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _paused(seen: Overview) -> dict[str, Any] | None:
    desired = seen.operator.desired
    if desired is None or not desired.paused:
        return None
    return {"by": desired.by, "why": desired.why, "since": moment(desired.since)}


def _checkpoint(seen: Overview) -> dict[str, Any] | None:
    if seen.checkpoint is None:
        return None
    return {
        "log_id": seen.checkpoint.log_id,
        "date": seen.checkpoint.date,
        "caught_up": moment(seen.caught_up),
        "age": seen.checkpoint_age,
    }


def _poller(seen: Overview) -> dict[str, Any] | None:
    pollers = seen.poller_reports
    name = next((name for name, one in pollers.items() if one.leading), None)
    if name is None:
        return None
    poller = pollers[name]
    return {
        "replica": name,
        "standby": [other for other, one in pollers.items() if not one.leading],
        "last_poll": moment(poller.last_poll),
        "caught_up": poller.caught_up,
        "failures": poller.failures,
        "last_error": poller.last_error,
    }


def _partition(row: PartitionStatus, seen: Overview) -> dict[str, Any]:
    return {
        "partition": row.partition,
        "begin": row.begin,
        "end": row.end,
        "committed": row.committed,
        "lag": row.lag,
        "done_beyond": row.done_beyond,
        "undelivered": row.undelivered,
        "owner": row.owner,
        "oldest": _oldest(row.oldest, seen) if row.oldest else None,
    }


def _oldest(event: OldestEvent, seen: Overview) -> dict[str, Any]:
    return {
        "log_id": event.log_id,
        "type": event.type,
        "age": max(0.0, seen.now - event.since),
        "attempts": event.attempts,
        "last_outcome": event.last_outcome,
        "reason": event.reason,
    }


def _replica(one: ReplicaDocument, seen: Overview) -> dict[str, Any]:
    consumer, poller = one.consumer, one.poller
    return {
        "id": one.id,
        "role": one.role.value,
        "version": one.version,
        "started": moment(one.started),
        "seen": moment(one.seen),
        "stale": seen.operator.is_stale(one, seen.now),
        "leading": poller.leading if poller else None,
        "share": consumer.share if consumer else None,
        "in_flight": consumer.in_flight if consumer else None,
        "window_events": consumer.window_events if consumer else None,
        "waiting_retry_events": consumer.waiting_retry_events if consumer else None,
        "paused": consumer.paused if consumer else None,
        "breaker": consumer.breaker.state.value if consumer else None,
        "rules": consumer.rules.hash if consumer and consumer.rules else None,
    }


def _rules(seen: Overview) -> dict[str, Any] | None:
    """Returns null where no live consumer has rules; `switched_off`: on which replicas, by the rule."""
    rules = seen.rules
    if not rules.any:
        return None
    return {"differ": rules.differ, "switched_off": {rule: list(where) for rule, where in rules.switched_off.items()}}


def _breaker(seen: Overview) -> dict[str, Any] | None:
    """Of the consumer whose breaker has not been closed for the longest time, else of the first one."""
    report = seen.down or next(iter(seen.consumer_reports), None)
    if report is None:
        return None
    breaker = report.breaker
    return {
        "state": breaker.state.value,
        "since": moment(breaker.since),
        "last_outcome": breaker.last_outcome,
        "probe_at": moment(breaker.probe_at),
    }
