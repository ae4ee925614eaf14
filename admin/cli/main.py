"""The process around a command: what has to be right before it is imported, and its one way out.

Imports next to nothing, not even `typing`: a signal that comes while the rest is imported ends the process without a traceback.
"""

from __future__ import annotations

import os
import signal
import sys

from admin.exits import Exit, at_once


def main() -> None:
    """The entry point: our errors become a line on standard error and a named exit code."""
    interrupt = signal.getsignal(signal.SIGINT)
    endless = _runs_until_stopped(sys.argv[1:])
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _not_begun if endless else at_once)
    _have_standard_streams()
    from admin.cli import streams
    from admin.cli.app import app
    from shared.descriptors import REMEDY, is_shortage
    from shared.errors import ConfigurationError, EnvironmentUnusable

    if not endless:
        signal.signal(signal.SIGINT, interrupt)
    streams.install()
    try:
        app()
    except SystemExit as end:
        _leave(end.code if isinstance(end.code, int) else Exit.FINE if end.code is None else Exit.INTERNAL)
    except ConfigurationError as error:
        _end(Exit.CONFIGURATION, *error.problems)
    except EnvironmentUnusable as error:
        _end(Exit.ENVIRONMENT, *str(error).splitlines())
    except KeyboardInterrupt:
        _leave(Exit.INTERRUPTED)
    except Exception as error:  # noqa: BLE001  the last place where it can become a line
        if is_shortage(error):
            _end(Exit.ENVIRONMENT, f"no file descriptor is left: {REMEDY}")
        _end(Exit.INTERNAL, "unexpected, a mistake of ours: please report it with what follows", because=error)
    _leave(Exit.FINE)


def _runs_until_stopped(arguments: list[str]) -> bool:
    return arguments[:1] in (["run"], ["produce"], ["consume"], ["listen"], ["simulate"]) and "--once" not in arguments


def _not_begun(_number: int, _frame: object) -> None:
    """A stop that comes before there is anything to drain: fine, as one that comes later."""
    os._exit(Exit.FINE)


def _have_standard_streams() -> None:
    """Where one was closed before the start, what is opened next would take its number: our lines would end up in a database."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    sys.stdin = sys.stdin or os.fdopen(0, closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


def _end(code: Exit, *sentences: str, because: Exception | None = None) -> None:
    """A log that is JSON stays JSON, line by line, to its end."""
    from shared import logging, settings

    if not logging.writes_json() and settings.log_format() == "json":
        logging.configure(verbosity="info", log_format="json")
    for sentence in sentences:
        logging.explain_exit(sentence, because=because, exit_code=int(code))
    _leave(code)


def _leave(code: int) -> None:
    """End here and now: the interpreter would wait for threads that hang in a look-up, and for a reader that does not read."""
    from contextlib import suppress

    signal.signal(signal.SIGINT, at_once)
    if "shared.logging" in sys.modules:
        from shared import logging

        logging.finish()
    with suppress(OSError, ValueError):  # its reader is gone, or it is closed
        sys.stdout.flush()
    os._exit(code)
