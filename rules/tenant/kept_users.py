"""Users that were fetched, for as long as they may be used, as JSON: two thousand of them as objects would fill the memory."""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple


class KeptUser(NamedTuple):
    until: float
    #: None: the tenant has no such user.
    body: bytes | None


class KeptUsers:
    """Bounded by `most` users and `most_bytes` of JSON; the one that was used least recently goes first. Pure: times are handed
    in, in seconds."""

    def __init__(self, *, most: int, most_bytes: int) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._users: OrderedDict[str, KeptUser] = OrderedDict()
        self._bytes = 0

    def get(self, user_id: str, now: float) -> KeptUser | None:
        """Returns what is kept of a user; None: nothing, or nothing any more."""
        found = self._users.get(user_id)
        if found is None:
            return None
        if now >= found.until:
            self.forget(user_id)
            return None
        self._users.move_to_end(user_id)
        return found

    def keep(self, user_id: str, user: KeptUser) -> None:
        self.forget(user_id)
        self._users[user_id] = user
        self._bytes += len(user.body or b"")
        while len(self._users) > self._most or self._bytes > self._most_bytes:
            self.forget(next(iter(self._users)))

    def forget(self, user_id: str) -> None:
        if (gone := self._users.pop(user_id, None)) is not None:
            self._bytes -= len(gone.body or b"")
