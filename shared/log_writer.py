"""Writes lines to a descriptor in a thread of its own, so that a log call neither blocks nor raises.

The queue is bounded: what does not fit is dropped and counted. A write that fails (a full disk, a closed reader) is tried again
every second with the same lines: a disk gets room again, a FIFO a new reader.
The thread is a daemon, so nothing waits for a write that hangs. A fork has none: make the writer in the process that logs.
"""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Final

_CAPACITY: Final = 10_000  # lines that wait; some 4 MB
_TAKE: Final = 100  # lines that the thread takes at once
#: Seconds in which further lines gather: one write for a burst costs less than one for each line.
_GATHER: Final = 0.02
_TRY_AGAIN: Final = 1.0  # seconds after a write that failed
#: A write up to this size (POSIX's PIPE_BUF on Linux) does not mix with those of another process on the same pipe.
_AT_ONCE: Final = 4096
#: To the begin of the row, and all of it away.
_ERASE: Final = "\r\x1b[K"


class LogWriter:
    """Takes whole lines, each with its line end.

    `on_dropped` is called in the thread with the number of dropped lines, once writing works again.
    """

    def __init__(self, descriptor: int, *, on_dropped: Callable[[int], None], capacity: int = _CAPACITY) -> None:
        self._descriptor = descriptor
        self._on_dropped = on_dropped
        self._capacity = capacity
        # Its `put` may come from a signal handler that has interrupted another `put`: no lock of Python's is in it.
        self._queue: Final[SimpleQueue[str | threading.Event]] = SimpleQueue()
        self._dropped = 0
        self._footer = self._shown = ""
        self._ending = threading.Event()
        threading.Thread(target=self._work, name="log", daemon=True).start()

    def write(self, text: str) -> None:
        """Neither raises nor waits."""
        if self._queue.qsize() < self._capacity:
            self._queue.put(text)
        else:
            self._dropped += 1

    def keep_below(self, footer: str) -> None:
        """Keeps this row, without a line end, below the lines of a terminal; empty: removes it. Neither raises nor waits."""
        self._footer = footer
        self._queue.put("")  # wakes the thread

    def flush(self) -> None:
        """Does nothing: lines are written by themselves. Code that expects a file calls it."""

    def finish(self, within: float) -> bool:
        """Waits until every line is written, at most `within` seconds. Returns whether it is.

        From now on a write that fails is not repeated.
        """
        self._ending.set()
        written = threading.Event()
        self._queue.put(written)
        return written.wait(within)

    def _work(self) -> None:
        while True:
            texts, waiting = self._take()
            for chunk in _chunks(self._with_footer(texts)):
                self._write(chunk)
            if self._dropped:
                dropped, self._dropped = self._dropped, 0
                self._on_dropped(dropped)
                for written in waiting:  # `on_dropped` has added a line: wait for that too
                    self._queue.put(written)
            else:
                for written in waiting:
                    written.set()
            if self._queue.empty():
                self._ending.wait(_GATHER)

    def _with_footer(self, texts: list[str]) -> list[str]:
        before, self._shown = self._shown, self._footer
        return [_ERASE, *texts, self._shown] if before else [*texts, self._shown]

    def _take(self) -> tuple[list[str], list[threading.Event]]:
        """Waits for a line, and takes those that are there as well."""
        items = [self._queue.get()]
        with suppress(Empty):
            while len(items) < _TAKE:
                items.append(self._queue.get_nowait())
        texts = [item for item in items if isinstance(item, str)]
        return texts, [item for item in items if not isinstance(item, str)]

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:  # another process has made the shared descriptor non-blocking
                select.select((), (self._descriptor,), (), _TRY_AGAIN)
            except OSError:
                if self._ending.is_set():
                    return
                self._ending.wait(_TRY_AGAIN)


def _chunks(texts: list[str]) -> Iterator[bytes]:
    """Returns whole lines, several in one chunk where they are small."""
    chunk = b""
    for text in texts:
        # Half a surrogate pair becomes its escape, in JSON and on the console.
        line = text.encode("utf-8", "backslashreplace")
        if chunk and len(chunk) + len(line) > _AT_ONCE:
            yield chunk
            chunk = b""
        chunk += line
    if chunk:
        yield chunk
