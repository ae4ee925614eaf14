"""What an event has to pass between the head of its key's queue and the ready queue. Today it is empty."""

from __future__ import annotations

from collections.abc import Callable

from consumer.partitions.partition import Delivery


class Stage:
    """Passes each event on at once. Rules will stand here: a stage that keeps events overrides all three methods.

    While an event is here it counts in the window, since it is taken and not completed, and its key waits behind it. `ready` is
    called in the event loop, once for each `enter`, unless the event is removed or dropped before.

    An event enters again when a skip of it is withdrawn, and after its batch was taken apart. An event that goes along in a batch
    behind the head of its queue (`Batching.take`) has not been here: a stage that keeps events must be asked there, too.
    """

    def __init__(self, ready: Callable[[Delivery], None]) -> None:
        self.ready = ready

    def enter(self, head: Delivery) -> None:
        """`head` is now the head of its key's queue, and its partition is not about to go."""
        self.ready(head)

    def remove(self, _delivery: Delivery) -> bool:
        """Takes an event out of its turn. Returns whether it was here."""
        return False

    def drop_leaving(self) -> None:
        """Drops the events of partitions that are about to go."""
