"""The library's own log does not drown ours."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterator
from functools import partial

import pytest
from kafka.net import selector

from shared.transport.kafka.client.library_log import ThrottledLog, throttle_library_log


class _RootLog(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.written: list[str] = []
        self.traced: list[bool] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.written.append(record.getMessage())
        self.traced.append(bool(record.exc_info))


@pytest.fixture
def root() -> Iterator[_RootLog]:
    """What a handler of the root sees. Not pytest's own: it also listens to loggers that do not hand on what they get."""
    lines = _RootLog()
    logging.getLogger().addHandler(lines)
    yield lines
    logging.getLogger().removeHandler(lines)


def test_one_line_for_each_sentence_and_interval(root: _RootLog) -> None:
    handler = ThrottledLog(interval=30)
    for second in range(100):
        handler.handle(_line(second, "%s: Connection lost: %s", second, "refused"))
    handler.handle(_line(100, "something else"))
    assert root.written == [
        "0: Connection lost: refused",
        "30: Connection lost: refused (and 29 more like this since)",
        "60: Connection lost: refused (and 29 more like this since)",
        "90: Connection lost: refused (and 29 more like this since)",
        "something else",
    ]


def test_the_library_is_quiet_once_asked_to_be(root: _RootLog) -> None:
    throttle_library_log()
    throttle_library_log()
    for attempt in range(50):
        logging.getLogger("kafka.net.of_a_test").warning("try %d", attempt)
    assert root.written == ["try 0"]


@pytest.mark.parametrize("level", [logging.DEBUG, logging.INFO])
def test_that_its_own_loop_was_slow_is_for_those_who_look_for_mistakes(
    root: _RootLog, level: int, request: pytest.FixtureRequest
) -> None:
    """On a busy machine each command showed it, with other numbers each time, so that the throttle let every line through."""
    request.addfinalizer(partial(logging.getLogger().setLevel, logging.getLogger().level))
    logging.getLogger().setLevel(level)
    text = f"Task {object()!r} ran for {0.2:.3f}s (>{0.1:.3f}s threshold). It is blocking the event loop"
    assert "'Task %r ran for %.3fs (>%.3fs threshold). It is '" in inspect.getsource(selector), "the library says it otherwise"
    ThrottledLog().handle(_line(0, text))
    assert root.written == [text][: level == logging.DEBUG]


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (ConnectionResetError(104, "reset by peer"), False),
        (RuntimeError("NetworkSelector closed!"), False),
        (KeyError("a bug"), True),
    ],
)
def test_a_connection_that_broke_shows_no_traceback(root: _RootLog, error: Exception, kept: bool) -> None:
    record = _line(0, "%s: Error receiving network data", "transport")
    record.exc_info = (type(error), error, None)
    ThrottledLog().handle(record)
    assert root.traced == [kept]
    assert root.written == ["transport: Error receiving network data" + ("" if kept else f": {error}")]


def _line(at: float, text: str, *arguments: object) -> logging.LogRecord:
    record = logging.LogRecord("kafka.somewhere", logging.WARNING, "file", 1, text, arguments, None)
    record.created = at
    return record
