from __future__ import annotations

import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from shared import logging as our_log
from shared.masking import MASK


@pytest.fixture(autouse=True)
def _unconfigured() -> Iterator[None]:
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    hooks = threading.excepthook, sys.unraisablehook
    yield
    structlog.reset_defaults()
    threading.excepthook, sys.unraisablehook = hooks
    logging.captureWarnings(capture=False)
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)


def _lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_one_json_object_with_its_fields() -> None:
    stream = io.StringIO()
    our_log.configure(verbosity="info", log_format=None, stream=stream)
    our_log.get_logger("here").info("delivered", log_id="900", partitions=[0, 1])
    (line,) = _lines(stream)
    assert (line["event"], line["log_id"], line["partitions"], line["level"]) == ("delivered", "900", [0, 1], "info")
    assert str(line["timestamp"]).endswith("Z")


def test_secrets_are_masked_wherever_they_stand() -> None:
    stream = io.StringIO()
    our_log.configure(verbosity="debug", log_format="json", secrets=["canary", "canary-long", ""], stream=stream)
    logger = our_log.get_logger("here")
    logger.info("the canary-long sings", who="canary", nested=["x canary y"], counts={"by canary": 3}, error=ValueError("canary"))
    try:
        raise ValueError("a canary in a traceback")
    except ValueError:
        logger.exception("failed")
    logging.getLogger("library").warning("canary %s", "canary")
    text = stream.getvalue()
    assert "canary" not in text
    assert text.count(MASK) >= 7
    assert "-long" not in text
    assert _lines(stream)[0]["counts"] == {f"by {MASK}": 3}


def test_verbosity_leaves_out_what_is_less() -> None:
    stream = io.StringIO()
    our_log.configure(verbosity="warning", log_format="json", stream=stream)
    logger = our_log.get_logger("here")
    logger.info("no")
    logger.warning("yes")
    assert [line["event"] for line in _lines(stream)] == ["yes"]


def test_lines_of_libraries_come_out_alike() -> None:
    stream = io.StringIO()
    our_log.configure(verbosity="debug", log_format="json", stream=stream)
    logging.getLogger("some.library").warning("an odd thing: %s", 7)
    logging.getLogger("some.library").info("chatter")
    (line,) = _lines(stream)
    assert line["event"] == "an odd thing: 7"
    assert line["logger_name"] == "some.library"  # the same name as in our own lines


def test_the_console_is_for_a_person() -> None:
    stream = io.StringIO()
    our_log.configure(verbosity="info", log_format="console", stream=stream)
    our_log.get_logger("here").info("delivered", log_id="900")
    assert "delivered" in stream.getvalue()
    assert "log_id=900" in stream.getvalue()


class _Awkward:
    def __str__(self) -> str:
        raise ValueError("no text")


_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None))
    | st.binary()
    | st.just(_Awkward()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text().filter(lambda name: name not in ("event", "self")), _VALUES))
def test_whatever_a_line_holds_it_is_one_json_object(fields: dict[str, object]) -> None:
    stream = io.StringIO()
    our_log.configure(verbosity="debug", log_format="json", stream=stream)
    our_log.get_logger("here").warning("it happened", **fields)
    (line,) = stream.getvalue().splitlines()
    assert json.loads(line, parse_constant=pytest.fail)["event"] == "it happened"


def test_a_line_that_holds_itself_is_a_line() -> None:
    stream = io.StringIO()
    our_log.configure(verbosity="debug", log_format="json", secrets=["canary"], stream=stream)
    circle: list[object] = ["canary"]
    circle.append(circle)
    our_log.get_logger("here").warning("it happened", circle=circle)
    logging.getLogger("library").warning("%d canary", "no number")
    assert [line["event"] for line in _lines(stream)] == ["it happened", f"%d {MASK} ('no number',)"]
    assert "canary" not in stream.getvalue()


@given(st.dictionaries(st.text().filter(lambda name: name not in ("event", "self")), _VALUES), st.text(st.characters(codec=None)))
def test_nothing_in_a_line_reaches_a_terminal_raw(fields: dict[str, object], event: str) -> None:
    stream = io.StringIO()
    our_log.configure(verbosity="debug", log_format="console", stream=stream)
    our_log.get_logger("here").warning(event, **fields)
    assert all(row.isprintable() for row in stream.getvalue().split("\n"))


def test_rows_of_the_console_end_before_column_100() -> None:
    stream = io.StringIO()
    our_log.configure(verbosity="info", log_format="console", stream=stream)
    fields = {"outcome": "503", "type": "fp", "attempt": 2, "partition": 1, "offset": 7, "retry_in": 0.531, "log_id": "9" * 56}
    our_log.get_logger("a.module.of.ours").warning("not delivered, will be tried again", **fields)
    our_log.get_logger("a.module.of.ours").error("polling failed", reason="a sentence " * 30)
    first, second, *others = stream.getvalue().splitlines()
    assert first[9:] == " warn  503 not delivered, will be tried again fp attempt=2 retry_in=0.531"
    assert second == f"{'':16}log_id={'9' * 56}"
    assert max(map(len, others)) <= 100
    assert "module" not in stream.getvalue()


def test_warnings_and_errors_in_threads_and_finalizers_are_lines_too() -> None:
    stream = io.StringIO()
    our_log.configure(verbosity="info", log_format="json", stream=stream)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        our_log.configure(verbosity="info", log_format="json", stream=stream)
        warnings.warn("an old thing", DeprecationWarning, stacklevel=1)

    def fail() -> None:
        raise ValueError("in a thread")

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()

    class Finalized:
        def __del__(self) -> None:
            raise ValueError("in a finalizer")

    del (made := [Finalized()])[0], made
    old, of_thread, of_finalizer = _lines(stream)
    assert "an old thing" in str(old["event"])
    assert "ValueError: in a thread" in str(of_thread["exception"])
    assert "ValueError: in a finalizer" in str(of_finalizer["exception"])
