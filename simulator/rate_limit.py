"""Auth0's rate limit: a token bucket. Pure: the time (seconds since the epoch) is handed in."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RatePlan:
    """How many requests are allowed at once, and how many a second in the long run."""

    burst: int
    per_second: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    allowed: bool
    #: Requests that are still allowed at this moment.
    remaining: int
    #: Unix time, in seconds, at which the bucket is full again, rounded up; one request is allowed earlier.
    reset: int
    #: Seconds until one request is allowed; 0: now.
    wait: float


class Bucket:
    def __init__(self, plan: RatePlan, *, now: float) -> None:
        self.plan = plan
        self._tokens = float(plan.burst)
        self._at = now

    def take(self, now: float) -> Admission:
        """Take a token for one request, if there is one."""
        self._tokens = min(self.plan.burst, self._tokens + max(0.0, now - self._at) * self.plan.per_second)
        self._at = now
        allowed = self._tokens >= 1.0
        self._tokens -= allowed
        return Admission(
            allowed=allowed,
            remaining=int(self._tokens),
            reset=math.ceil(now + (self.plan.burst - self._tokens) / self.plan.per_second),
            wait=max(0.0, 1.0 - self._tokens) / self.plan.per_second,
        )
