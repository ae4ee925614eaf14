"""Auth0's rate limit: a token bucket. Pure: the time (seconds since the epoch) is handed in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Plan:
    """So many requests at once, and so many a second in the long run."""

    burst: int
    per_second: float


#: Auth0's published limits of the Management API, or of its logs endpoint where that has one of its own.
FREE: Final = Plan(2, 2.0)
PROFESSIONAL: Final = Plan(10, 100 / 60)
ENTERPRISE: Final = Plan(50, 16.0)
ENTERPRISE_DEVELOPMENT: Final = Plan(10, 2.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    allowed: bool
    #: Requests that would still be let through now.
    remaining: int
    #: Unix time, in seconds, when the bucket is full again, rounded up: one request is possible earlier.
    reset: int
    #: Seconds until one request is possible; 0 if one is now.
    wait: float


class Bucket:
    def __init__(self, plan: Plan, *, now: float) -> None:
        self.plan = plan
        self._tokens = float(plan.burst)
        self._at = now

    def take(self, now: float) -> Verdict:
        """One request: it takes a token, or is refused and takes none."""
        self._tokens = min(self.plan.burst, self._tokens + max(0.0, now - self._at) * self.plan.per_second)
        self._at = now
        allowed = self._tokens >= 1.0
        self._tokens -= allowed
        return Verdict(
            allowed=allowed,
            remaining=int(self._tokens),
            reset=math.ceil(now + (self.plan.burst - self._tokens) / self.plan.per_second),
            wait=max(0.0, 1.0 - self._tokens) / self.plan.per_second,
        )
