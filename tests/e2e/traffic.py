"""New events in the tenant while a test runs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.e2e.stack import simple
from tests.support.listed_log import ListedLog

_TICK = 0.02  # seconds


@contextmanager
def traffic(log: ListedLog, *, per_second: int, users: int = 60) -> Iterator[list[str]]:
    """Appends logins of some users until the end of the block. Yields the list of their log ids, which grows."""
    log_ids: list[str] = []
    stop = threading.Event()

    def flow() -> None:
        while not stop.wait(_TICK):
            first = len(log_ids)
            log_ids.extend(log.append(raw) for raw in simple(range(first, first + round(per_second * _TICK)), users=users))

    thread = threading.Thread(target=flow)
    thread.start()
    try:
        yield log_ids
    finally:
        stop.set()
        thread.join()
