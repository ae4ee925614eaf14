from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from shared import log


@pytest.fixture(autouse=True)
def _unconfigured() -> Iterator[None]:
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    yield
    structlog.reset_defaults()
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)


def _lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_one_json_object_with_its_fields() -> None:
    stream = io.StringIO()
    log.configure(verbosity="info", log_format=None, stream=stream)
    log.get_logger("here").info("delivered", log_id="900", partitions=[0, 1])
    (line,) = _lines(stream)
    assert (line["event"], line["log_id"], line["partitions"], line["level"]) == ("delivered", "900", [0, 1], "info")
    assert str(line["timestamp"]).endswith("Z")


def test_secrets_are_masked_wherever_they_stand() -> None:
    stream = io.StringIO()
    log.configure(verbosity="debug", log_format="json", secrets=["canary", "canary-long", ""], stream=stream)
    logger = log.get_logger("here")
    logger.info("the canary-long sings", who="canary", nested=["x canary y"], counts={"by canary": 3}, error=ValueError("canary"))
    try:
        raise ValueError("a canary in a traceback")
    except ValueError:
        logger.exception("failed")
    logging.getLogger("library").warning("canary %s", "canary")
    text = stream.getvalue()
    assert "canary" not in text
    assert text.count(log.MASK) >= 7
    assert "-long" not in text
    assert _lines(stream)[0]["counts"] == {f"by {log.MASK}": 3}


def test_verbosity_leaves_out_what_is_less() -> None:
    stream = io.StringIO()
    log.configure(verbosity="warning", log_format="json", stream=stream)
    logger = log.get_logger("here")
    logger.info("no")
    logger.warning("yes")
    assert [line["event"] for line in _lines(stream)] == ["yes"]


def test_lines_of_libraries_come_out_alike() -> None:
    stream = io.StringIO()
    log.configure(verbosity="debug", log_format="json", stream=stream)
    logging.getLogger("some.library").warning("an odd thing: %s", 7)
    logging.getLogger("some.library").info("chatter")
    (line,) = _lines(stream)
    assert line["event"] == "an odd thing: 7"
    assert line["logger_name"] == "some.library"  # the same name as in our own lines


def test_the_console_is_for_a_person() -> None:
    stream = io.StringIO()
    log.configure(verbosity="info", log_format="console", stream=stream)
    log.get_logger("here").info("delivered", log_id="900")
    assert "delivered" in stream.getvalue()
    assert "log_id=900" in stream.getvalue()
