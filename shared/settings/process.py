"""The options of a process: its loop, and what it tells about itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, ClassVar, get_args

from shared.logging import LogFormat, Verbosity
from shared.parsers import (
    choice,
    file_to_be,
    line,
    seconds,
    whole,
)
from shared.settings.option import Conflict, Group, Option, Role


class LoopSettings(Group):
    """How the consumer takes events from the log and gives them back when it stops."""

    title: ClassVar = "Loop"
    roles: ClassVar = frozenset({Role.RUN, Role.CONSUME})

    window: Annotated[int, Option("WINDOW", whole(1, 1_000_000, "events"))] = 1000
    """Maximum events in memory, those that wait for a retry included; on Kafka about 2,000 of a partition."""
    window_bytes: Annotated[int, Option("WINDOW_BYTES", whole(1_000_000, 100_000_000_000, "bytes"))] = 64_000_000
    """Maximum bytes of those events, with what rules made of them; what one poll brings may come on top."""
    commit_interval: Annotated[float, Option("COMMIT_INTERVAL", seconds())] = 1.0
    """The longest wait between two commits of what is done; 50 events are committed at once."""
    drain_timeout: Annotated[float, Option("DRAIN_TIMEOUT", seconds(zero=True))] = 10.0
    """How long open calls may go on when partitions are released or the process stops; then they are cancelled. On Kafka 50 at
    most."""
    stop_grace: Annotated[float, Option("STOP_GRACE", seconds())] = 25.0
    """How long stopping may take in all; then the process ends as it is."""

    def conflicts(self) -> Iterator[Conflict]:
        if self.drain_timeout >= self.stop_grace:
            what = "the process would end before open calls are drained and committed"
            yield Conflict(("DRAIN_TIMEOUT", "STOP_GRACE"), what, "make the first shorter than the second")


class ObservabilitySettings(Group):
    """What this program tells about itself: lines on standard error, and a heartbeat."""

    title: ClassVar = "Observability"
    roles: ClassVar = frozenset(Role)

    verbosity: Annotated[
        Verbosity, Option("VERBOSITY", choice(*get_args(Verbosity), hint="for which Auth0 events are delivered, see LOG_LEVEL"))
    ] = "info"
    """The least important lines that are written."""
    log_format: Annotated[
        LogFormat | None,
        Option("LOG_FORMAT", choice(*get_args(LogFormat)), example="json", unset="console on a terminal, else json"),
    ] = None
    """Lines for a person's eyes or for a program."""
    metrics_port: Annotated[int | None, Option("METRICS_PORT", whole(1, 65535), example="9464", unset="off: nothing listens")] = (
        None
    )
    """The port on which `run`, `produce` and `consume` serve `/metrics` (Prometheus), `/healthz` and `/readyz`."""
    metrics_host: Annotated[str, Option("METRICS_HOST", line)] = "127.0.0.1"
    """The address to listen on; `0.0.0.0` for every one. There is no login: numbers only, no event and no secret."""
    health_file: Annotated[
        Path | None,
        Option("HEALTH_FILE", file_to_be, example="/tmp/auth0-webhooks.alive"),  # noqa: S108  an example
    ] = None
    """Deprecated, use `METRICS_PORT` and `/healthz`: a file that is touched every few seconds while all loops make progress."""
