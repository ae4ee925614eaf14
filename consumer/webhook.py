"""The webhook as the courier sees it: one attempt, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from consumer.delivery import Delivery

SUCCESS: Final = 200


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of one request."""

    #: The status of the answer; None where there was none.
    status: int | None
    #: Why there was no answer, in a few words without personal data; empty where there was one.
    problem: str = ""
    #: Seconds that the receiver asks us to wait, from `Retry-After`; None where it does not. Unbounded: it can be a year.
    retry_after: float | None = None

    @property
    def delivered(self) -> bool:
        """Exactly 200: the receiver has the event. Any other answer, a redirect too, is a failure."""
        return self.status == SUCCESS

    @property
    def outcome(self) -> str:
        return self.problem or f"answered {self.status}"


Landed = Callable[[Delivery, Attempt], None]


class Webhook(Protocol):
    """Sends deliveries. Everything happens in one event loop."""

    def send(self, delivery: Delivery, landed: Landed) -> None:
        """Start one attempt under one total deadline. `landed` is called later, once, unless the delivery is cancelled."""

    def cancel(self, delivery: Delivery) -> None:
        """Break off the attempt: its connection is closed and `landed` will not be called."""

    async def close(self) -> None:
        """Close all connections. Idempotent."""
