"""How an Auth0 tenant, or what stands in front of it, answers wrongly: kinds that only make sense for log pages.

The others are in `faults.py`.
"""

from __future__ import annotations

import re
from typing import Final

from simulator.faults import Fault
from simulator.wire import Answer

_PAGE: Final = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Please sign in to this network.</body></html>\n"
_ORIGIN: Final = re.compile(r"https?://[^/>]+")
_IDS: Final = re.compile(rb'"(?:log_id|_id)"\s*:\s*"[^"]*"')


def html() -> Fault:
    """A login page of the network in between, with 200."""
    return Fault(name="html", change=lambda _: Answer(200, _PAGE, (("Content-Type", "text/html"),)))


def json_object() -> Fault:
    """A JSON object where a list should be, with 200."""
    return Fault(name="json object", change=lambda answer: Answer(200, b'{"logs":[]}', answer.headers))


def truncated_json() -> Fault:
    """Half of the JSON, in a well-formed answer."""
    return Fault(name="truncated json", change=lambda answer: _with_body(answer, answer.body[: len(answer.body) // 2]))


def without_id() -> Fault:
    """The first entry of the page has neither `log_id` nor `_id`."""
    return Fault(name="without id", change=lambda answer: _with_body(answer, _IDS.sub(b'"no":"id"', answer.body, count=2)))


def foreign_link(origin: str) -> Fault:
    """`Link: rel="next"` leads to another origin, such as `http://127.0.0.1:1234`."""
    return Fault(
        name="foreign link",
        change=lambda answer: answer.with_header("Link", _ORIGIN.sub(origin, answer.header("Link") or "", count=1)),
    )


def without_link() -> Fault:
    """The page has no `Link` at all."""
    return Fault(name="without link", change=lambda answer: answer.without_header("Link"))


def _with_body(answer: Answer, body: bytes) -> Answer:
    return Answer(answer.status, body, answer.headers)
