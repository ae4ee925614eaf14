"""Our own log: one wide line per outcome, on standard error, as JSON or for a person's eyes; no payload and no secret.

`configure` is called once by whoever owns the process. Everything else does `log = get_logger(__name__)` and
`log.info("a sentence", log_id=…, status=…)`. Lines of libraries (kafka, httpx, asyncio) go through the same renderer.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal, TextIO

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

Verbosity = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["console", "json"]

Logger = FilteringBoundLogger

MASK: Final = "***"


def get_logger(name: str) -> Logger:
    logger: Logger = structlog.get_logger(logger_name=name)
    return logger


def configure(
    *, verbosity: Verbosity, log_format: LogFormat | None, secrets: Iterable[str] = (), stream: TextIO | None = None
) -> None:
    """Set up the log of this process. `log_format` None: `console` on a terminal, else `json`.

    `secrets`: values that are masked wherever they would appear in a line, whoever wrote it.
    """
    stream = stream or sys.stderr
    console = log_format == "console" or (log_format is None and stream.isatty())
    common: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _Masking(secrets),
    ]
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(colors=stream.isatty(), pad_event_to=40)
        if console
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    level = logging.getLevelNamesMapping()[verbosity.upper()]
    structlog.configure(
        processors=[*common, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_library_name, *common],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(level, logging.WARNING))


class _Masking:
    """Replaces secret values, longest first, in every text of a line."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets: Sequence[str] = sorted({s for s in secrets if s}, key=len, reverse=True)

    def __call__(self, _logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
        if self._secrets:
            for name, value in line.items():
                line[name] = self._masked(value)
        return line

    def _masked(self, value: Any) -> Any:
        if isinstance(value, str):
            for secret in self._secrets:
                value = value.replace(secret, MASK)
            return value
        if isinstance(value, list | tuple):
            return [self._masked(item) for item in value]
        if isinstance(value, dict):
            return {self._masked(str(name)): self._masked(item) for name, item in value.items()}
        return value if value is None or isinstance(value, bool | int | float) else self._masked(str(value))


def _library_name(logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    line["logger_name"] = logger.name if logger is not None else line["_record"].name
    return line
