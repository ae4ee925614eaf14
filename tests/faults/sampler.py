"""Memory, open files and threads of our processes, read from /proc; without /proc there are no samples."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from tests.support.fork_server import ForkedProcess

_EVERY: Final = 0.5  # seconds
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_PROC: Final = Path("/proc")


class Usage(NamedTuple):
    #: By `time.monotonic`.
    time: float
    #: Megabytes.
    rss: float
    files: int
    threads: int


@dataclass(slots=True)
class UsageSampler:
    usages: dict[int, list[Usage]] = field(default_factory=dict)

    def of(self, child: ForkedProcess) -> Sequence[Usage]:
        """Returns its samples in the order of time; empty without /proc."""
        return self.usages.get(child.pid, [])

    def look(self, children: Sequence[ForkedProcess]) -> None:
        for child in children:
            # A process may end in between.
            with suppress(OSError, IndexError, StopIteration):
                self.usages.setdefault(child.pid, []).append(_usage(_PROC / str(child.pid)))


def _usage(folder: Path) -> Usage:
    pages = int((folder / "statm").read_text().split()[1])
    threads = next(line for line in (folder / "status").read_text().splitlines() if line.startswith("Threads:"))
    files = len(list((folder / "fd").iterdir()))
    return Usage(time.monotonic(), pages * _PAGE / 1e6, files, int(threads.split()[1]))


@contextmanager
def sampling(children: Callable[[], Sequence[ForkedProcess]]) -> Iterator[UsageSampler]:
    sampler, stop = UsageSampler(), threading.Event()

    def run() -> None:
        while not stop.wait(_EVERY):
            sampler.look(children())

    thread = threading.Thread(target=run, name="sampler")
    thread.start()
    try:
        yield sampler
    finally:
        stop.set()
        thread.join(10)
