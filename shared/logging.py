"""Our own log: one wide line per outcome, on standard error, as JSON or for a person to read; no payload and no secret.

A log call never raises and never waits, whatever reads standard error: lines go through a `LogWriter`.
`configure` is called once, where the process starts. All other code does `log = get_logger(__name__)` and
`log.info("a sentence", log_id=…, status=…)`. Lines of libraries (kafka, httpx, asyncio) go through the same renderer.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import sys
import threading
import traceback
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, Literal, TextIO

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from shared import masking
from shared.log_console import ConsoleRenderer
from shared.log_writer import LogWriter
from shared.terminal import fitted
from shared.text import visible

Verbosity = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["console", "json"]

Logger = FilteringBoundLogger

_STANDARD_ERROR: Final = 2  # the descriptor; `sys.stderr` has a buffer and locks of its own
_LAST_LINES: Final = 1.0  # seconds that the end of the process waits for them


def get_logger(name: str) -> Logger:
    logger: Logger = structlog.get_logger(logger_name=name)
    return logger


def configure(
    *, verbosity: Verbosity, log_format: LogFormat | None, secrets: Collection[str] = (), stream: TextIO | None = None
) -> None:
    """Sets up the log of this process: on standard error, by a thread of its own, or on `stream`.

    `log_format` None: `console` on a terminal, else `json`. `secrets`: values that are masked in every line, also of libraries;
    without any, those of the call before stay.
    """
    if secrets:
        masking.use(secrets)
    terminal = os.isatty(_STANDARD_ERROR) if stream is None else stream.isatty()
    console = log_format == "console" or (log_format is None and terminal)
    colors = terminal and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    out = stream or _standard_error()
    line = _LineFormatter(ConsoleRenderer(colors=colors, descriptor=_STANDARD_ERROR) if console else _json)
    level = logging.getLevelNamesMapping()[verbosity.upper()]
    structlog.configure(
        processors=[line],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: _StructlogOutput(out),
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    root.handlers[:] = [_LibraryHandler(line, out)]
    root.setLevel(max(level, logging.WARNING))
    logging.captureWarnings(capture=True)
    threading.excepthook = _in_thread
    sys.unraisablehook = _unraisable


def writes_json() -> bool:
    """Returns whether `configure` chose JSON."""
    processors = structlog.get_config()["processors"]
    return isinstance(processors[0], _LineFormatter) and processors[0].renderer is _json


def explain_exit(sentence: str, *, because: BaseException | None = None, **fields: object) -> None:
    """Writes why this process ends: a line of the log where that is JSON, else a plain one on standard error."""
    if writes_json():
        get_logger(__name__).error(sentence, exc_info=because, **fields)
    else:
        trace = "".join(traceback.format_exception(because)) if because else ""
        line = fitted(f"error: {visible(masking.masked(sentence))}", _STANDARD_ERROR)
        _standard_error().write(f"{line}\n{masking.masked(trace)}")


def keep_below(footer: str) -> None:
    """Keeps a row below the lines on a terminal; empty: removes it."""
    _standard_error().keep_below(footer)


def finish() -> None:
    """Waits until what was logged is written, at most a second: its reader may not read."""
    if _standard_error.cache_info().currsize:
        _standard_error().finish(_LAST_LINES)


@cache
def _standard_error() -> LogWriter:
    def on_dropped(count: int) -> None:
        log = get_logger(__name__)
        log.error(f"{count} lines dropped: this log's reader did not keep up, or its disk was full", dropped=count)

    atexit.register(finish)  # for programs that do not end through our command
    return LogWriter(_STANDARD_ERROR, on_dropped=on_dropped)


class _LineFormatter:
    """Makes a line's text of its fields. Never raises, whatever the fields are."""

    def __init__(self, renderer: Processor) -> None:
        self.renderer = renderer
        self._steps: Sequence[Processor] = (
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _masked_line,
            renderer,
        )

    def __call__(self, logger: WrappedLogger, method: str, fields: EventDict) -> str:
        done: Any = dict(fields)
        try:
            for step in self._steps:
                done = step(logger, method, done)
            return str(done)
        except Exception:  # noqa: BLE001  a value that has no text, is no JSON, or holds itself
            texts = {_text(name): _text(value) for name, value in fields.items()}
            texts = {"level": method, "timestamp": datetime.now(UTC).isoformat(), **texts}
            return str(self.renderer(logger, method, _masked_line(logger, method, texts)))


class _StructlogOutput:
    """What structlog calls a logger: it writes the finished line."""

    def __init__(self, out: TextIO | LogWriter) -> None:
        self._write = out.write

    def msg(self, text: str) -> None:
        self._write(text + "\n")

    debug = info = warning = error = critical = msg


def _text(value: object) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001
        return f"<{type(value).__name__} without a text>"


def _in_thread(failure: threading.ExceptHookArgs) -> None:
    if failure.exc_value is not None and failure.exc_type is not SystemExit:
        name = failure.thread.name if failure.thread else "?"
        get_logger(__name__).error(
            "unexpected error in a thread: a bug; please report it", thread=name, exc_info=failure.exc_value
        )


def _unraisable(failure: sys.UnraisableHookArgs) -> None:
    get_logger(__name__).error(
        "unexpected error: a bug; please report it", where=_text(failure.object), exc_info=failure.exc_value
    )


_encode: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=repr).encode
#: JSON allows them raw, but they break lines (U+0085, U+2028, U+2029) or make a terminal act.
_ESCAPED: Final = {code: f"\\u{code:04x}" for code in (*range(0x7F, 0xA0), 0x2028, 0x2029)}


def _json(_logger: WrappedLogger, _method: str, line: EventDict) -> str:
    text = _encode(line)
    return text if text.isascii() and "\x7f" not in text else text.translate(_ESCAPED)


def _masked_line(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    for name, value in line.items():
        line[name] = _masked(value)
    return line


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return masking.masked(value)
    if isinstance(value, list | tuple):
        return [_masked(item) for item in value]
    if isinstance(value, dict):
        return {_masked(str(name)): _masked(item) for name, item in value.items()}
    return value if value is None or isinstance(value, bool | int | float) else _masked(str(value))


class _LibraryHandler(logging.Handler):
    """Writes the lines of libraries (kafka, httpx, asyncio, warnings) as ours."""

    def __init__(self, line: _LineFormatter, out: TextIO | LogWriter) -> None:
        super().__init__()
        self._line = line
        self._out = out

    def emit(self, record: logging.LogRecord) -> None:
        try:
            event = record.getMessage()
        except Exception:  # noqa: BLE001  the arguments do not fit the text
            event = f"{record.msg} {_text(record.args)}"
        fields = {"logger_name": record.name, "event": event, "exc_info": record.exc_info}
        self._out.write(f"{self._line(None, record.levelname.lower(), fields)}\n")
