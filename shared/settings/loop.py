"""The settings of the consumer's loop."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Final

from shared.settings.option import Conflict, Group, Option, Role
from shared.settings.parsers import seconds, whole

#: Seconds within which Kafka has to get a partition back. A member that takes longer loses it, with what it did and has not
#: committed, and holds up the join of all the others meanwhile.
KAFKA_DRAIN_BOUND: Final = 50.0


class LoopSettings(Group):
    """How the consumer takes events from the log and gives them back when it stops."""

    title: ClassVar = "Loop"
    roles: ClassVar = frozenset({Role.RUN, Role.CONSUME})

    window: Annotated[
        int,
        Option(
            "WINDOW",
            whole(1, 1_000_000, "events"),
            "The most events taken and not yet done, waiting ones included; on Kafka about 2,000 of a partition.",
        ),
    ] = 1000
    commit_interval: Annotated[
        float,
        Option(
            "COMMIT_INTERVAL",
            seconds(),
            "The longest wait of an event that is done until the log notes it; 50 are noted at once.",
        ),
    ] = 1.0
    drain_timeout: Annotated[
        float,
        Option(
            "DRAIN_TIMEOUT",
            seconds(zero=True),
            "How long open calls may go on when partitions move or the process stops; then they are cancelled. "
            "On Kafka 50 at most.",
        ),
    ] = 10.0
    stop_grace: Annotated[
        float, Option("STOP_GRACE", seconds(), "How long stopping may take in all; then the process ends as it is.")
    ] = 25.0

    def conflicts(self) -> Iterator[Conflict]:
        if self.drain_timeout >= self.stop_grace:
            what = "the process would end before open calls are drained and noted"
            yield Conflict("drain_timeout", "stop_grace", what=what, fix="make the first shorter than the second")
