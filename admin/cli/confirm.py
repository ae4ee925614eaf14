"""A question to the person at the terminal."""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import typer

from shared.text import visible

_ANSWERS: Final = {"y": True, "yes": True, "n": False, "no": False, "": False}


def ask(question: str) -> bool:
    """Whether the answer is yes. Raises KeyboardInterrupt at once on Ctrl-C, and EOFError where no answer comes any more."""
    with _interruptible() as wake:
        while True:
            typer.echo(f"{visible(question)} [y/N]: ", nl=False)
            answer = _line(wake).strip().lower()
            if answer in _ANSWERS:
                return _ANSWERS[answer]
            typer.echo("y or n?")


@contextmanager
def _interruptible() -> Iterator[int]:
    """SIGINT raises KeyboardInterrupt; it also makes the descriptor readable that is given.

    An event loop around us would only note the first one. And one that comes just before a read is not seen until that returns:
    `input` has that gap.
    """
    wake, write = os.pipe()
    os.set_blocking(write, False)
    descriptor = signal.set_wakeup_fd(write)
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield wake
    finally:
        signal.signal(signal.SIGINT, handler)
        signal.set_wakeup_fd(descriptor)
        os.close(wake)
        os.close(write)


def _line(wake: int) -> str:
    ready: list[int] = []
    while sys.stdin.fileno() not in ready:
        ready, _, _ = select.select([sys.stdin.fileno(), wake], [], [])
        if wake in ready:  # after SIGINT this step raises
            os.read(wake, 64)
    try:
        line = sys.stdin.readline()
    except OSError:  # the terminal is gone
        raise EOFError from None
    if not line:
        raise EOFError
    return line
