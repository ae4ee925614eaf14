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


def members(admin: KafkaAdminClient, group: str) -> int | None:
    """How many members the group has; None: the brokers know no such group. Raises `KafkaError`."""
    described = admin.describe_groups([group])[group]
    error = described["error"]
    if error:
        kinds = (GroupIdNotFoundError, GroupAuthorizationFailedError, *_PASSING)
        kind = next((kind for kind in kinds if kind.__name__ in error or kind.message in error), KafkaError)
        if kind is GroupIdNotFoundError:
            return None
        raise kind(error)
    return None if described["group_state"] == "Dead" else len(described["members"])
