"""What an event has to pass between the head of its key's queue and the ready queue: nothing, where no rules run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

from consumer.partitions.partition import Delivery, Partition


class HeldEvent(NamedTuple):
    """An event that is in the stage, and why."""

    delivery: Delivery
    #: The rule that runs on it; empty: none at the moment.
    rule: str = ""
    #: In a few words.
    reason: str = ""
    #: When its rules run again, by the loop's clock; None: it does not wait for a moment.
    next_try: float | None = None


class Stage:
    """Passes each event on at once. `RuleStage` keeps events, and overrides every method.

    While an event is here it counts in the window, since it is taken and not completed, and its key waits behind it. `ready` is
    called in the event loop, once for each `enter`, unless the event is removed or dropped before.

    An event enters again when a skip of it is withdrawn, and after its batch was taken apart. An event that goes along in a batch
    behind the head of its queue (`Batching.take`) has not been here: no event goes along that `awaits_rules`.
    """

    def __init__(self, ready: Callable[[Delivery], None]) -> None:
        self.ready = ready

    def enter(self, head: Delivery) -> None:
        """`head` is now the head of its key's queue, and its partition is not about to go."""
        self.ready(head)

    def remove(self, _delivery: Delivery) -> str | None:
        """Takes an event out of its turn. Returns why rules kept it, in a few words, or empty; None: it was not here."""
        return None

    def drop_leaving(self) -> None:
        """Drops the events of partitions that are about to go."""

    def unfinished(self, _partitions: Collection[Partition]) -> bool:
        """Whether an event of these was begun here, and a call of it may still begin though its partition is about to go."""
        return False

    def cancel(self, _partitions: Collection[Partition]) -> int:
        """Ends what is under way for events of these. Returns its number."""
        return 0

    def start(self) -> None:
        """Starts whatever may start."""

    def held(self) -> Iterable[HeldEvent]:
        """Returns those that it works on or keeps for a reason, the ones under way first."""
        return ()

    async def close(self) -> None:
        """Ends everything here."""
