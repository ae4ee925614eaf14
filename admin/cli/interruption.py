"""A command that a signal ends in an orderly way, instead of in the middle."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from admin.cli.output import say

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption(asyncio.Event):
    """Set by the first signal."""

    #: Of the signal.
    number = 0


@contextmanager
def interruptible(notice: str = "") -> Iterator[Interruption]:
    """The first signal sets the event, and says `notice`; a second one ends the process at once.

    One that is ignored (`nohup`) stays ignored.
    """
    loop, stop = asyncio.get_running_loop(), Interruption()
    heeded = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]

    def on_signal(number: signal.Signals) -> None:
        for one in heeded:
            loop.remove_signal_handler(one)
            signal.signal(one, signal.SIG_DFL)
        stop.number = number
        stop.set()
        if notice:
            say(notice, to_person=True)

    for number in heeded:
        loop.add_signal_handler(number, on_signal, number)
    try:
        yield stop
    finally:
        for number in heeded:
            loop.remove_signal_handler(number)
