"""One broker for all workers of a test run (`pytest -n`): a JVM of its own for each costs ten seconds of CPU.

The first worker that needs the broker starts it and leaves it, pickled, in the run's folder, where the others find it. It
closes it when all have released it.
"""

from __future__ import annotations

import fcntl
import os
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from tests.support.kafka.broker import Broker

B = TypeVar("B", bound=Broker)


@contextmanager
def _locked(path: Path, how: int) -> Iterator[None]:
    file = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(file, how)
        yield
    finally:
        os.close(file)


def shared(folder: Path, name: str, start: Callable[[], B], at_end: Callable[[Callable[[], None]], object]) -> B:
    """Returns the run's broker of that name. `start` starts it; `at_end` registers what releases it after the last test.

    Not a fixture's teardown, which counts in the time limit of a worker's last test: the owner waits for the other workers there.
    """
    left, users = folder / f"{name}.broker", folder / f"{name}.users"
    with _locked(folder / f"{name}.lock", fcntl.LOCK_EX):
        owned = _owned(folder / f"{name}.owner")
        if owned is None:
            broker: B = pickle.loads(left.read_bytes())
        else:
            try:
                broker = start()
            except BaseException:
                os.close(owned)
                raise
            left.write_bytes(pickle.dumps(broker))
        use = os.open(users, os.O_RDWR | os.O_CREAT)
        fcntl.flock(use, fcntl.LOCK_SH)

    def release() -> None:
        if owned is not None:
            with _locked(folder / f"{name}.lock", fcntl.LOCK_EX):
                os.close(owned)
            fcntl.flock(use, fcntl.LOCK_EX)
        os.close(use)
        broker.close()

    at_end(release)
    return broker


def _owned(path: Path) -> int | None:
    """Returns the lock that an owner holds; None if another worker holds it.

    A killed owner's lock is free, and its broker was killed with it: a worker that takes its place starts another one.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return None
    return file
