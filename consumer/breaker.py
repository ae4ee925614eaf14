"""The circuit breaker: when the webhook is down, stop asking it, probe, and come back gently. Pure: the time is handed in.

    closed      calls go; it opens when `failures` different events failed with no success in between: one poison event that
                fails again and again must reach its dead letter, not stop everybody
    open        no call, until the next probe is due: after `probe_interval`, doubling up to `longest`
    half-open   one call, the probe, is under way
    closed      again on any success; the calls allowed at once begin with one and double with each success

A failure while it is not closed says nothing about its event, so it spends none of the event's attempts. (The dispatcher knows
one exception: where every event at hand has failed before, a probe that is refused once more does,
and the next one waits no longer than the first.)
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class Breaker:
    """`failures` in a row open it; `probe_interval` and `longest` in seconds."""

    def __init__(self, *, failures: int, probe_interval: float, longest: float) -> None:
        self._failures = failures
        self._probe_interval = probe_interval
        self._longest = max(longest, probe_interval)
        self._failed: set[str] = set()
        self._wait = probe_interval
        self._probe: str | None = None
        #: How many calls may be open while it comes back; None: as many as anybody likes.
        self._ramp: int | None = None
        self.state = State.CLOSED
        #: When the next probe may go, while it is open.
        self.probe_at = 0.0

    def allows(self, open_calls: int, now: float) -> bool:
        """Whether a call may start, with `open_calls` under way."""
        match self.state:
            case State.CLOSED:
                return self._ramp is None or open_calls < self._ramp
            case State.OPEN:
                return now >= self.probe_at
            case State.HALF_OPEN:
                return False

    def sent(self, call: str) -> None:
        """A call starts; while the breaker is open it is the probe."""
        if self.state is State.OPEN:
            self.state = State.HALF_OPEN
            self._probe = call

    def succeeded(self, most: int) -> None:
        """A call was delivered; `most` calls at once are the full speed."""
        self._failed.clear()
        if self.state is not State.CLOSED:
            self.state, self._probe, self._wait, self._ramp = State.CLOSED, None, self._probe_interval, 1
        elif self._ramp is not None:
            self._ramp = self._ramp * 2 if self._ramp * 2 < most else None

    def failed(self, call: str, now: float) -> bool:
        """A call failed. True: it counts against its event's attempts."""
        match self.state:
            case State.CLOSED:
                self._failed.add(call)
                if len(self._failed) >= self._failures:
                    self.open(now)
                return True
            case State.HALF_OPEN if call == self._probe:
                self._wait = min(self._wait * 2, self._longest)
                self.open(now)
        return False

    def refused(self, now: float) -> None:
        """The probe that failed was read, and refused for its own sake: somebody is there, so the next one waits no longer."""
        self._wait = self._probe_interval
        self.open(now)

    def given_up(self, call: str, now: float) -> None:
        """A call was broken off by us: if it was the probe, another may go at once."""
        if self.state is State.HALF_OPEN and call == self._probe:
            self.state, self._probe, self.probe_at = State.OPEN, None, now

    def open(self, now: float) -> None:
        """Open it, or keep it open until another interval has passed."""
        self.state, self._probe = State.OPEN, None
        self._failed.clear()
        self.probe_at = now + self._wait
