"""Starts a rule process under its limits, and sees that it does not outlive its parent. A program, run before the interpreter.

    python -I -S launcher.py PARENT SECONDS|- BYTES|- COMMAND…

It sets what only a process can set for itself, then becomes the command: no core files, BYTES of address space, and the kernel's
promise to kill it when the thread that started it ends (Linux). Where there is no such promise, a watchdog of its own does it: it
reads from descriptor 0, whose other end the parent alone holds. SECONDS: how often the watchdog looks whether the process still
is; `-` relies on the kernel. Not a `preexec_fn`: that runs Python in a forked child of a process with threads.
"""

from __future__ import annotations

import ctypes
import os
import resource
import select
import signal
import sys
from contextlib import suppress
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def main(parent: str, watch: str, address_space: str, *command: str) -> None:
    _limit(resource.RLIMIT_CORE, 0)
    if address_space != "-":
        _limit(resource.RLIMIT_AS, int(address_space))
    if watch != "-":
        _start_watchdog(float(watch))
    elif ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != int(parent):  # it ended before the kernel knew that we want to hear of it
        sys.exit("the parent is gone")
    os.environ.pop("LC_CTYPE", None)  # Python sets it for itself where no locale is given (PEP 538)
    try:
        os.execv(command[0], command)  # noqa: S606  what we were told to become
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


def _limit(kind: int, value: int) -> None:
    most = resource.getrlimit(kind)[1]
    resource.setrlimit(kind, (value if most < 0 else min(value, most),) * 2)


def _start_watchdog(every: float) -> None:
    target = os.getpid()
    if os.fork() == 0:
        with suppress(Exception):
            _watch(target, every)
        os._exit(0)


def _watch(target: int, every: float) -> None:
    """Kill the target when the parent is gone. Returns when the target is."""
    os.closerange(1, 256)  # not even a copy of its socket may stay open here
    while os.getppid() == target:  # as long as it is our parent, its number is its own
        readable, _, _ = select.select([0], [], [], every)
        if readable and os.getppid() == target:
            os.kill(target, signal.SIGKILL)
            return


if __name__ == "__main__":
    main(*sys.argv[1:])
