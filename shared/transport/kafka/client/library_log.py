"""kafka-python's own log, throttled: in an outage it writes hundreds of lines, the same few sentences again and again.

A filter on the logger `kafka` would not see what its children log. So that logger gets a handler which passes some lines on to
the root's handlers and stops the rest.
"""

from __future__ import annotations

import copy
import logging
import re
from typing import Final

from shared.log_throttle import LogThrottle

#: What the library raises in a callback of a connection that breaks when its client is closed already.
_CLOSED: Final = "NetworkSelector closed!"
#: Its line about its own event loop, each time in other words. On a busy machine every command would show it, and there is
#: nothing to do.
_SLOW: Final = re.compile(r"Task .+ ran for [\d.]+s ")


class ThrottledLog(logging.Handler):
    """Passes one line per sentence (logger, level, text before its arguments are put in) and `interval` seconds to the root.

    The next line of that sentence says how many were left out. Time is the lines' own.
    """

    def __init__(self, interval: float = 30.0) -> None:
        super().__init__()
        self._throttle = LogThrottle(interval)

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno > logging.DEBUG and _SLOW.match(str(record.msg)):
            record = _for_debugging(record)
            if not logging.getLogger().isEnabledFor(record.levelno):
                return
        if self._throttle.allows((record.name, record.levelno, str(record.msg)), record.created):
            logging.getLogger().handle(_without_traceback(_with_count(record, self._throttle.left_out)))


def throttle_library_log() -> None:
    """For the rest of this process. Idempotent."""
    logger = logging.getLogger("kafka")
    if not any(isinstance(handler, ThrottledLog) for handler in logger.handlers):
        logger.addHandler(ThrottledLog())
        logger.propagate = False


def _for_debugging(record: logging.LogRecord) -> logging.LogRecord:
    quiet = copy.copy(record)
    quiet.levelno, quiet.levelname = logging.DEBUG, "DEBUG"
    return quiet


def _with_count(record: logging.LogRecord, left_out: int) -> logging.LogRecord:
    if not left_out:
        return record
    counted = copy.copy(record)
    counted.msg = f"{record.msg} (and {left_out} more like this since)"
    return counted


def _without_traceback(record: logging.LogRecord) -> logging.LogRecord:
    """The same for a connection that broke, also under a closed client: an outage is no reason to show the library's insides."""
    error = record.exc_info[1] if record.exc_info else None
    if not isinstance(error, OSError) and str(error) != _CLOSED:
        return record
    plain = copy.copy(record)
    plain.msg, plain.args = f"{record.getMessage()}: {error}", ()
    plain.exc_info = plain.exc_text = None
    return plain
