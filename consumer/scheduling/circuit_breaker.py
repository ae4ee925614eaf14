"""The circuit breaker: when the webhook is down, send no more calls, probe, and come back gently. Pure: the time is handed in.

    closed      calls go; it opens when `failures` different events failed with no success in between: one poison event that
                fails again and again must become a dead letter, not stop all others
    open        no call, until the next probe is due: after `probe_interval`, doubling up to `longest`
    half-open   one call, the probe, is under way
    closed      again on any success; the calls allowed at once begin with one and double with each success

A call that began before it last opened may hang until its timeout. It takes no part of what is allowed at once, and its failure
says nothing about its event and nothing new about the webhook: no attempt is spent, and it does not open the breaker again.
Neither does the failure of a probe spend an attempt, with one exception: a probe whose event had failed before, so that no fresh
event was at hand, and which is rejected because of its event again. The receiver is up then, and the next probe waits no longer
than the first. Else a window full of poisoned events would always look like an outage, and none of them would become a dead
letter.

What the receiver asked for by `Retry-After` is a floor under the probe: the latest moment of all failures since the last success.
"""

from __future__ import annotations

from consumer.webhook import Call
from shared.backoff import Doubling
from shared.words import BreakerState as BreakerState


class Breaker:
    """`failures` in a row open it; `probe_interval` and `longest` in seconds."""

    def __init__(self, *, failures: int, probe_interval: float, longest: float) -> None:
        self._failures = failures
        self._pauses = Doubling(probe_interval, max(longest, probe_interval))
        #: Log ids of the different events.
        self._failed: set[str] = set()
        #: The open calls that began since it last opened; while it is half-open, the probe.
        self._current: set[Call] = set()
        #: In a row. A probe that was rejected because of its event ends the row.
        self._failed_probes = 0
        #: No probe before this moment.
        self._floor = 0.0
        #: How many calls may be open while it comes back; None: any number.
        self._ramp: int | None = None
        self.state = BreakerState.CLOSED
        #: When the next probe may go, while it is open.
        self.probe_at = 0.0

    def allows(self, now: float) -> bool:
        """Whether a call may start."""
        match self.state:
            case BreakerState.CLOSED:
                return self._ramp is None or len(self._current) < self._ramp
            case BreakerState.OPEN:
                return now >= self.probe_at
            case BreakerState.HALF_OPEN:
                return False

    def sent(self, call: Call) -> None:
        """A call starts; while the breaker is open it is the probe."""
        self._current.add(call)
        if self.state is BreakerState.OPEN:
            self.state = BreakerState.HALF_OPEN

    def succeeded(self, call: Call, most: int) -> None:
        """A call was delivered; `most` calls at once are the full speed."""
        self._current.discard(call)
        self._failed.clear()
        self._floor = 0.0
        if self.state is not BreakerState.CLOSED:
            self.state, self._failed_probes, self._ramp = BreakerState.CLOSED, 0, 1
        elif self._ramp is not None:
            self._ramp = self._ramp * 2 if self._ramp * 2 < most else None

    def failed(self, call: Call, now: float, *, not_before: float = 0.0, rejected: bool = False) -> bool:
        """A call failed. `not_before`: the moment that the receiver asked us to wait for; `rejected`: because of its event.

        Returns whether it spends one of its event's attempts.
        """
        self._floor = max(self._floor, not_before)
        if call not in self._current:
            self.probe_at = max(self.probe_at, self._floor)
            return False
        self._current.discard(call)
        if self.state is BreakerState.HALF_OPEN:
            poisoned = rejected and call.failed
            self._failed_probes = 0 if poisoned else self._failed_probes + 1
            self.open(now)
            return poisoned
        self._failed.add(call.log_id)
        if len(self._failed) >= self._failures:
            self.open(now)
        return True

    def cancelled(self, call: Call, now: float) -> None:
        """We cancelled a call: if it was the probe, another may go at once."""
        if call in self._current:
            self._current.discard(call)
            if self.state is BreakerState.HALF_OPEN:
                self.state, self.probe_at = BreakerState.OPEN, max(now, self._floor)

    def come_back(self) -> None:
        """No call began for a while, and the webhook may not be ready for all of them: one begins beside those that are open.

        Does nothing unless the breaker is closed: a probe comes first.
        """
        if self.state is BreakerState.CLOSED:
            self._ramp = 1 + len(self._current)

    def open(self, now: float) -> None:
        """Opens it, or keeps it open until another interval has passed."""
        self.state = BreakerState.OPEN
        self._failed.clear()
        self._current.clear()
        self.probe_at = max(now + self._pauses.after(self._failed_probes + 1), self._floor)
