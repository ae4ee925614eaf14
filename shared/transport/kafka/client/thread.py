"""One thread that owns one client of the library; the event loop hands it work and awaits the results.

Not an executor of the standard library: the interpreter waits for those threads when it ends, so a client that hangs would keep
the process from ending. This thread is a daemon.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
_Job = Callable[[], None]
#: Seconds that `end` waits for the thread.
END_BOUND: Final = 5.0


class ClientThread:
    """Runs what it is given one after the other, in the order of the calls."""

    def __init__(self, name: str) -> None:
        self._jobs: Final[queue.SimpleQueue[_Job | None]] = queue.SimpleQueue()
        self._stopped = False
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Returns `work(…)`, called in the thread. Work that has begun goes on when this is cancelled."""
        future: Future[T] = Future()
        self._jobs.put(lambda: _settle(future, lambda: work(*args, **kwargs)))
        return await asyncio.wrap_future(future)

    def stop(self, last: Callable[[], None] | None = None) -> None:
        """Ends the thread after what is queued, and after `last`; idempotent, does not wait."""
        self._stopped = True
        if last is not None:
            self._jobs.put(lambda: _settle(Future(), last))
        self._jobs.put(None)

    async def end(self, last: Callable[[], None]) -> None:
        """Stops the thread and waits a little until `last`, which must be idempotent, is done. Idempotent itself."""
        if self._stopped:
            return
        try:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.run(last), END_BOUND)
        finally:
            self.stop(last)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()


def _settle(future: Future[T], work: Callable[[], T]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = work()
    except BaseException as error:  # noqa: BLE001  it is raised again where it was awaited
        future.set_exception(error)
    else:
        future.set_result(result)
