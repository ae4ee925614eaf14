"""Watches over a membership that has no assignment: the client library can leave a finished join unapplied for ever. Pure."""

from __future__ import annotations

from enum import Enum, auto


class Advice(Enum):
    WAIT = auto()
    REJOIN = auto()
    REBUILD = auto()


class Watchdog:
    """`rejoin_after` and `rebuild_after` are seconds without an assignment; times are handed in.

    A join may rightly last as long as the slowest member takes to give its partitions back, so `rebuild_after` has to be
    longer than that; asking to join again does no harm meanwhile.
    """

    def __init__(self, *, rejoin_after: float, rebuild_after: float, now: float) -> None:
        self._rejoin_after = rejoin_after
        self._rebuild_after = rebuild_after
        self._since: float | None = now
        self._asked = now

    @property
    def assigned(self) -> bool:
        return self._since is None

    def waiting(self, now: float) -> None:
        """Subscribed, revoked or lost: an assignment has to follow."""
        self._since = self._asked = now

    def arrived(self) -> None:
        """An assignment came, even one of nothing."""
        self._since = None

    def advice(self, now: float, *, reachable: bool) -> Advice:
        """Not `reachable`: the group cannot be asked at all, and neither a join nor a new client would change that."""
        if self._since is None:
            return Advice.WAIT
        if not reachable:
            self.waiting(now)
        elif now - self._since >= self._rebuild_after:
            self.waiting(now)
            return Advice.REBUILD
        elif now - self._asked >= self._rejoin_after:
            self._asked = now
            return Advice.REJOIN
        return Advice.WAIT
