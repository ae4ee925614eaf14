"""Faults of an Auth0 tenant, or of a proxy in front of it, that only make sense for log pages."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from simulator.faults import HttpFault
from simulator.wire import HttpResponse

_PAGE: Final = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Please sign in to this network.</body></html>\n"
_ORIGIN: Final = re.compile(r"https?://[^/>]+")
_IDS: Final = re.compile(rb'"(?:log_id|_id)"\s*:\s*"[^"]*"')


def html() -> HttpFault:
    """The login page of a network in between, with 200."""
    return HttpFault(name="html", change=lambda _: HttpResponse(200, _PAGE, (("Content-Type", "text/html"),)))


def json_object() -> HttpFault:
    """A JSON object where a list should be, with 200."""
    return HttpFault(name="json object", change=lambda response: HttpResponse(200, b'{"logs":[]}', response.headers))


def truncated_json() -> HttpFault:
    """Half of the JSON, in a well-formed response."""
    return HttpFault(
        name="truncated json", change=lambda response: replace(response, body=response.body[: len(response.body) // 2])
    )


def without_id() -> HttpFault:
    """The first entry of the page has neither `log_id` nor `_id`."""
    return HttpFault(
        name="without id", change=lambda response: replace(response, body=_IDS.sub(b'"no":"id"', response.body, count=2))
    )


def foreign_link(origin: str) -> HttpFault:
    """`Link: rel="next"` leads to another origin, such as `http://127.0.0.1:1234`."""
    return HttpFault(
        name="foreign link",
        change=lambda response: response.with_header("Link", _ORIGIN.sub(origin, response.header("Link") or "", count=1)),
    )


def without_link() -> HttpFault:
    """The page has no `Link` at all."""
    return HttpFault(name="without link", change=lambda response: response.without_header("Link"))
