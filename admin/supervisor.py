"""The life of a long-running process: an event loop, one way out, signals, and a last resort.

The first SIGTERM, SIGINT or SIGHUP only sets `stop`: the loops see it, drain and return within the grace. A second SIGTERM or
SIGINT ends the process at once, whatever it is doing. A second SIGHUP does not: a closing terminal sends two. An unexpected
exception in a callback also ends the process, so that whatever runs it can start it again.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, Final

from admin.exits import Exit, at_once
from shared import logging
from shared.descriptors import REMEDY, is_shortage
from shared.errors import EnvironmentUnusable
from shared.log_throttle import LogThrottle

#: Seconds that cancelled tasks get.
_CANCEL: Final = 1.0
#: Seconds beyond the grace after which a blocked loop is ended.
_BLOCKED: Final = 5.0

our_log = logging.get_logger(__name__)


class GraceExceeded(EnvironmentUnusable):
    """The loops did not end within `STOP_GRACE` after a stop: Auth0, the transport or the webhook did not respond."""


def run(work: Callable[[asyncio.Event], Coroutine[Any, Any, None]], *, grace: float) -> None:
    """Run `work(stop)` until it returns; after a stop it has `grace` seconds. Raises what it raises, and `GraceExceeded`.

    Not `asyncio.Runner`: it would wait at its end for DNS look-ups, which may take a minute, and for tasks that do not end.
    """
    loop, stop = _new_loop(), asyncio.Event()
    before = _stop_on_signals(loop, stop, grace)
    try:
        loop.run_until_complete(_live(work, stop, grace))
    finally:
        loop.run_until_complete(_cancel_the_rest())
        loop.close()  # removes our handlers
        for number, handler in before.items():
            signal.signal(number, handler if number == signal.SIGHUP else at_once)


async def supervise(stop: asyncio.Event, *works: Awaitable[None]) -> None:
    """Run `works` side by side. When one fails, stop the others (not cancel: they drain), then raise its error."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        stop.set()
        await asyncio.wait(tasks)
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result


def _stop_on_signals(loop: asyncio.AbstractEventLoop, stop: asyncio.Event, grace: float) -> dict[int, Any]:
    """Returns the previous handlers by signal."""
    before: dict[int, Any] = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    if before[signal.SIGHUP] is signal.SIG_IGN:
        del before[signal.SIGHUP]  # nohup

    def in_loop(number: signal.Signals) -> None:
        stop.set()
        our_log.info("stopping: draining and committing; a second signal ends at once", signal=number.name, grace=grace)

    def first(_number: int, _frame: object) -> None:
        """Runs in addition to `in_loop`, also while the loop is blocked."""
        for number in before:
            signal.signal(number, signal.SIG_IGN if number == signal.SIGHUP else at_once)
        with suppress(RuntimeError):
            threading.Thread(target=_end_blocked, args=(grace,), name="grace", daemon=True).start()

    for number in before:
        loop.add_signal_handler(number, in_loop, signal.Signals(number))  # also makes a signal wake the loop
        signal.signal(number, first)
    return before


def _end_blocked(grace: float) -> None:
    time.sleep(grace + _BLOCKED)
    logging.explain_exit(f"the process hangs: it did not end within {grace + _BLOCKED:g} s after a signal, and is ended now")
    logging.finish()
    os._exit(Exit.ENVIRONMENT)


async def _live(work: Callable[[asyncio.Event], Coroutine[Any, Any, None]], stop: asyncio.Event, grace: float) -> None:
    unexpected: list[BaseException] = []
    throttle = LogThrottle()

    def on_exception(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception") or RuntimeError(context["message"])
        if is_shortage(error):  # a connection that cannot be accepted waits in the system's queue; the loop tries again
            sentence = "no file descriptor is left"
            if throttle.allows(sentence, time.monotonic()):  # this comes up to a thousand times a second
                our_log.error(sentence, reason=context["message"], remedy=REMEDY)
            return
        stop.set()
        our_log.error("unexpected error: a bug; please report it", reason=context["message"], exc_info=error)
        unexpected.append(error)

    asyncio.get_running_loop().set_exception_handler(on_exception)
    await _within_grace(asyncio.ensure_future(work(stop)), stop, grace)
    if unexpected:
        raise unexpected[0]


async def _within_grace(work: asyncio.Future[None], stop: asyncio.Event, grace: float) -> None:
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait((work, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not work.done():
        await asyncio.wait((work,), timeout=grace)
    if not work.done():
        work.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.wait((work,), timeout=_CANCEL)
        raise GraceExceeded(f"not everything ended within STOP_GRACE ({grace:g} s); what was under way will be repeated")
    work.result()


async def _cancel_the_rest() -> None:
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    if rest:
        await asyncio.wait(rest, timeout=_CANCEL)


def _new_loop() -> asyncio.AbstractEventLoop:
    """Returns a loop of uvloop where it is installed (the extra `speed`): 25 to 40 % less CPU for each call."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()

    loop: asyncio.AbstractEventLoop = type("Loop", (uvloop.Loop,), {"getaddrinfo": _look_up})()
    return loop


async def _look_up(loop: asyncio.AbstractEventLoop, host: Any, port: Any, **hints: int) -> Any:
    """In a thread that can be abandoned, as in asyncio: closing a loop of uvloop would wait for its own look-ups."""
    return await loop.run_in_executor(None, lambda: socket.getaddrinfo(host, port, **hints))
