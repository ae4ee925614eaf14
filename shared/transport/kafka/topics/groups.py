"""Consumer groups as an operator sees them. Everything here blocks.

A new cluster makes its topic of groups when it is first asked for one, and answers "coordinator not available" until that is
done; the same is said for a moment whenever a coordinator moves. So `patiently` asks again within a bound.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

from kafka import KafkaAdminClient
from kafka.errors import (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    GroupAuthorizationFailedError,
    GroupIdNotFoundError,
    KafkaError,
    LeaderNotAvailableError,
    NotCoordinatorError,
)

#: Seconds.
BOUND: Final = 20.0
_PAUSE: Final = 0.25
_PASSING: Final = (CoordinatorNotAvailableError, CoordinatorLoadInProgressError, NotCoordinatorError, LeaderNotAvailableError)

T = TypeVar("T")


def patiently(ask: Callable[[], T]) -> T:
    """Returns what `ask` returns; asks again, for `BOUND` seconds, while a coordinator is only not there yet.

    `ask` takes a new client after an error: one that knows a coordinator asks it for ever. Raises what the last try raised.
    """
    deadline = time.monotonic() + BOUND
    while True:
        try:
            return ask()
        except _PASSING:
            if time.monotonic() > deadline:
                raise
        time.sleep(_PAUSE)


def members(admin: KafkaAdminClient, group: str) -> int:
    """Returns how many members the group has, 0 also for one that the brokers do not know. Raises `KafkaError`."""
    described = admin.describe_groups([group])[group]
    if (text := described["error"]) is None:
        return len(described["members"])
    kinds = (GroupIdNotFoundError, GroupAuthorizationFailedError, *_PASSING)
    kind = next((kind for kind in kinds if kind.message in text or kind.__name__ in text), KafkaError)
    if kind is GroupIdNotFoundError:
        return 0
    raise kind(text)
