"""The process around a command: what must be set up before the command is imported, and the one way out.

Imports next to nothing, not even `typing`: a signal during the other imports must end the process without a traceback.
"""

from __future__ import annotations

import os
import signal
import sys
import time

from admin.exits import Exit, at_once


def main() -> None:
    """The entry point: turns our errors into a line on standard error and a named exit code."""
    interrupt = signal.getsignal(signal.SIGINT)
    endless = _runs_until_stopped(sys.argv[1:])
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _not_begun if endless else at_once)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM, signal.SIGINT, signal.SIGHUP))  # blocked by tools/install.py
    _have_standard_streams()
    from admin.cli import streams, usage
    from admin.cli.app import app
    from shared.descriptors import REMEDY, is_shortage
    from shared.errors import ConfigurationError, EnvironmentUnusable

    if not endless:
        signal.signal(signal.SIGINT, interrupt)
    streams.install()
    try:
        _leave(app(prog_name="auth0-webhooks", standalone_mode=False) or Exit.FINE)
    except SystemExit as end:
        _leave(end.code if isinstance(end.code, int) else Exit.FINE if end.code is None else Exit.INTERNAL)
    except usage.UsageError as error:
        _end(Exit.CONFIGURATION, usage.explain(error))
    except ConfigurationError as error:
        _end(Exit.CONFIGURATION, *error.problems)
    except EnvironmentUnusable as error:
        _end(Exit.ENVIRONMENT, *str(error).splitlines())
    except KeyboardInterrupt:
        _leave(Exit.INTERRUPTED)
    except Exception as error:  # noqa: BLE001  the last place where it can become a line
        if is_shortage(error):
            _end(Exit.ENVIRONMENT, f"no file descriptor is left: {REMEDY}")
        _end(Exit.INTERNAL, "unexpected error: a bug; please report it with what follows", because=error)


def _runs_until_stopped(arguments: list[str]) -> bool:
    if arguments[:1] in (["tail"], ["status"]):
        return "--follow" in arguments or "--watch" in arguments
    return arguments[:1] in (["run"], ["produce"], ["consume"], ["listen"], ["simulate"], ["demo"]) and "--once" not in arguments


def _not_begun(_number: int, _frame: object) -> None:
    """Handler for a stop before there is anything to drain: exit code 0, as for a later stop."""
    try:
        if sys.argv[1:2] == ["demo"]:
            os.write(2, b"Stopped before it began.\n")
            if "MAKELEVEL" in os.environ:
                # make heeds the same Ctrl-C. If its child is gone by then, GNU make may end with 2: "wait: No child processes".
                time.sleep(0.2)
    finally:  # also where the terminal is gone
        os._exit(Exit.FINE)


def _have_standard_streams() -> None:
    """Open those that were closed before the start: else the next file, say a database, takes the number and gets our lines."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    sys.stdin = sys.stdin or os.fdopen(0, closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


def _end(code: Exit, *sentences: str, because: Exception | None = None) -> None:
    """Log the last lines, as JSON if the log is JSON, and exit."""
    signal.signal(signal.SIGINT, at_once)  # here a KeyboardInterrupt would go up as a traceback
    from shared import logging, settings

    if not logging.writes_json() and settings.log_format() == "json":
        logging.configure(verbosity="info", log_format="json")
    for sentence in sentences:
        logging.explain_exit(sentence, because=because, exit_code=int(code))
    _leave(code)


def _leave(code: int) -> None:
    """Exit at once: the interpreter would wait for threads that hang in a DNS look-up, and for a reader that does not read."""
    from contextlib import suppress

    signal.signal(signal.SIGINT, at_once)
    if "shared.logging" in sys.modules:
        from shared import logging

        logging.finish()
    with suppress(OSError, ValueError):  # the reader is gone, or the stream is closed
        sys.stdout.flush()
    os._exit(code)
