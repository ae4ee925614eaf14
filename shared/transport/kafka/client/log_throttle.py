"""kafka-python's own log, thinned out: in an outage it writes hundreds of lines, the same few sentences again and again.

A filter on a logger would not see what its children log. So the logger `kafka` gets a handler that passes on to the root's
handlers what may pass, and stops the rest.
"""

from __future__ import annotations

import copy
import logging
from typing import Final

#: Seconds in which each sentence is written once.
INTERVAL: Final = 30.0
#: Sentences remembered; some carry a changing part inside and would pile up for ever.
_MOST: Final = 500


class Thinned(logging.Handler):
    """Passes one line per sentence (logger, level, text before its arguments are put in) and `interval` seconds to the root.

    The next one that passes says how many were left out. Takes the time from the lines.
    """

    def __init__(self, interval: float = INTERVAL) -> None:
        super().__init__()
        self._interval = interval
        self._seen: dict[tuple[str, int, str], tuple[float, int]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        sentence = (record.name, record.levelno, str(record.msg))
        since, left_out = self._seen.get(sentence, (float("-inf"), 0))
        if record.created - since < self._interval:
            self._seen[sentence] = (since, left_out + 1)
            return
        if len(self._seen) >= _MOST:
            self._seen.clear()
        self._seen[sentence] = (record.created, 0)
        logging.getLogger().handle(_without_traceback(_counted(record, left_out) if left_out else record))


def quieten() -> None:
    """Thin out the library's log of this process from now on. Idempotent."""
    logger = logging.getLogger("kafka")
    if not any(isinstance(handler, Thinned) for handler in logger.handlers):
        logger.addHandler(Thinned())
        logger.propagate = False


def _counted(record: logging.LogRecord, left_out: int) -> logging.LogRecord:
    counted = copy.copy(record)
    counted.msg = f"{record.msg} (and {left_out} more like this since)"
    return counted


def _without_traceback(record: logging.LogRecord) -> logging.LogRecord:
    """Of a connection that broke: an outage is no reason to show anybody the library's insides."""
    error = record.exc_info[1] if record.exc_info else None
    if not isinstance(error, OSError):
        return record
    plain = copy.copy(record)
    plain.msg, plain.args = f"{record.getMessage()}: {error}", ()
    plain.exc_info = plain.exc_text = None
    return plain
