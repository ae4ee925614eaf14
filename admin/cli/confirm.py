"""The question before a command acts."""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import typer

from admin.cli.output import say
from admin.exits import Exit
from shared.errors import ConfigurationError
from shared.terminal import fitted
from shared.text import visible

_MEANS_YES: Final = {"y": True, "yes": True, "n": False, "no": False, "": False}


def confirm(question: str, *, yes: bool) -> bool:
    """Ask the person at the terminal, unless `yes`. Returns whether to act; if not, the person was told that nothing changed.

    Ctrl-C and the end of the input end the command. Raises `ConfigurationError` where standard input is no terminal.
    """
    if yes:
        return True
    if not sys.stdin.isatty():
        raise ConfigurationError([f"{question} Nothing was done: without a terminal to ask on, confirm with --yes"])
    try:
        confirmed = _ask(question)
    except (KeyboardInterrupt, EOFError):
        say("\nNothing was changed", to_person=True)
        raise typer.Exit(Exit.INTERRUPTED) from None
    if not confirmed:
        say("Nothing was changed", to_person=True)
    return confirmed


def _ask(question: str) -> bool:
    """Raises KeyboardInterrupt at once on Ctrl-C, and EOFError at the end of the input."""
    with _interruptible() as wake:
        while True:
            typer.echo(f"{fitted(f'{visible(question)} [y/N]:', 1)} ", nl=False)
            reply = _read_line(wake).strip().lower()
            if reply in _MEANS_YES:
                return _MEANS_YES[reply]
            typer.echo("y or n?")


@contextmanager
def _interruptible() -> Iterator[int]:
    """SIGINT raises KeyboardInterrupt and makes the yielded descriptor readable.

    Not `input`: a SIGINT just before its read is not seen until the read returns. And the handler of an event loop around us
    would only note the first SIGINT.
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


def _read_line(wake: int) -> str:
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
