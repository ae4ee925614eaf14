"""The settings of delivery: pace, order, retries, batches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from shared.record import MAX_RECORD
from shared.settings.option import Conflict, Group, Option, Role
from shared.settings.parsers import choice, per_second, seconds, whole


class DeliverySettings(Group):
    """When your endpoint is called: how fast, in which order, again after a failure, and with how many events."""

    title: ClassVar = "Delivery"
    roles: ClassVar = frozenset({Role.RUN, Role.CONSUME})

    concurrent_calls: Annotated[
        int,
        Option(
            "WEBHOOK_CONCURRENT_CALLS", whole(1, 10000, "calls"), "The most calls open at any time, over all replicas together."
        ),
    ] = 5
    rate_limit: Annotated[
        float | None,
        Option(
            "WEBHOOK_RATE_LIMIT",
            per_second("calls", 0.001, 100_000),
            "The most calls begun in any one second, over all replicas together.",
            example="50",
            unset="none",
        ),
    ] = None
    ordering: Annotated[
        Literal["key", "partition", "none"],
        Option(
            "WEBHOOK_ORDERING",
            choice("key", "partition", "none"),
            "Which events are delivered one after another: those of the same user (`key`), of the same partition, or none.",
        ),
    ] = "key"
    backoff_base: Annotated[
        float, Option("WEBHOOK_BACKOFF_BASE", seconds(), "The longest wait before the second try; it doubles with each try.")
    ] = 1.0
    backoff_cap: Annotated[float, Option("WEBHOOK_BACKOFF_CAP", seconds(), "The longest wait before any try.")] = 300.0
    max_attempts: Annotated[
        int | None,
        Option(
            "WEBHOOK_MAX_ATTEMPTS",
            whole(1, 1_000_000, "attempts"),
            "How many attempts an event has before it becomes a dead letter.",
            example="20",
            unset="no end",
        ),
    ] = None
    breaker_failures: Annotated[
        int,
        Option(
            "WEBHOOK_BREAKER_FAILURES",
            whole(1, 1_000_000, "events"),
            "How many different events must fail in a row until only probes are sent.",
        ),
    ] = 10
    probe_interval: Annotated[
        float, Option("WEBHOOK_PROBE_INTERVAL", seconds(), "The wait before the first probe; it doubles up to a minute.")
    ] = 5.0
    send_as_batch: Annotated[
        Literal["false", "true", "lines"],
        Option(
            "SEND_AS_BATCH",
            choice("false", "true", "lines"),
            "Several events in one call: as a JSON array (`true`), or a line each (`lines`).",
        ),
    ] = "false"
    batch_max_events: Annotated[int, Option("BATCH_MAX_EVENTS", whole(1, 10_000, "events"), "The most events in one call.")] = 100
    batch_max_bytes: Annotated[
        int,
        Option(
            "BATCH_MAX_BYTES",
            whole(1, MAX_RECORD, "bytes"),
            "The largest body of a call with several events; an event that is larger goes alone.",
        ),
    ] = 1_000_000
    batch_linger: Annotated[
        float, Option("BATCH_LINGER", seconds(zero=True), "How long an event may wait for others to go with it.")
    ] = 0.1

    @property
    def batched(self) -> bool:
        """Whether a call may carry several events."""
        return self.send_as_batch != "false"

    def conflicts(self) -> Iterator[Conflict]:
        if self.backoff_base > self.backoff_cap:
            what = "the first wait is longer than the longest"
            yield Conflict("backoff_base", "backoff_cap", what=what, fix="lower the first or raise the second")
