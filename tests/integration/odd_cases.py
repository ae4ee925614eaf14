"""What Auth0, or something in front of it, can give instead of a page or a token; the rows of the table in docs/auth0.md."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from shared.event import slice_page
from simulator.faults import HttpFault
from simulator.wire import HttpRequest, HttpResponse
from tests.integration.pollers import log_id
from tests.support import faults, tenant_faults

Kind = Literal["taken", "retry", "refresh", "gap", "fatal"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OddCase:
    #: As the table of the documentation has it.
    name: str
    kind: Kind
    #: Words of our log, or of the error; empty: it is not worth a line.
    seen: str
    fault: HttpFault
    #: It comes from the token endpoint.
    at_token: bool = False
    #: Which requests it is for.
    when: Callable[[HttpRequest], bool] | None = None


def changed(name: str, change: Callable[[HttpResponse], HttpResponse]) -> HttpFault:
    return HttpFault(name=name, change=change)


def body(name: str, change: Callable[[bytes], bytes]) -> HttpFault:
    """The usual page with another body."""
    return changed(name, lambda response: replace(response, body=change(response.body)))


def entries_of(change: Callable[[list[bytes]], Sequence[bytes]]) -> HttpFault:
    """The usual page with other entries."""
    return body("entries", lambda page: b"[" + b",".join(change([event.raw for event in slice_page(page)])) + b"]")


def link(change: Callable[[str], str]) -> HttpFault:
    """The usual page with another link."""
    return changed("link", lambda response: response.with_header("Link", change(response.header("Link") or "")))


def leading_to(number: int) -> HttpFault:
    """The usual page, whose link leads to what is newer than this entry."""
    return link(lambda text: re.sub(r"from=\d+", f"from={log_id(number)}", text))


def grant(**fields: object) -> HttpFault:
    """A token like the usual one, but for these fields; None takes one away."""

    def change(response: HttpResponse) -> HttpResponse:
        granted = json.loads(response.body) | fields
        return HttpResponse.json(response.status, {name: value for name, value in granted.items() if value is not None})

    return changed("grant", change)


def _dated(raw: bytes) -> bytes:
    return re.sub(rb'"date":("[^"]*")', rb'"date":{"$date":\1}', raw)


def _again(page: bytes) -> bytes:
    """The page that ends at the checkpoint of the second turn."""
    return f'[{{"log_id":"{log_id(0)}","type":"s"}}]'.encode()


def _refused(error: str, description: str, status: int) -> HttpFault:
    text = json.dumps({"error": error, "error_description": description}).encode()
    return faults.status(status, headers=(("Content-Type", "application/json"),), body=text)


#: Where nothing listens.
ELSEWHERE: Final = "http://127.0.0.1:9"
#: For the two that take the time of a request.
DEADLINE: Final = 1.0
BODY_CAP: Final = 65_536

_PAGES: Final = (
    OddCase(name="5xx", kind="retry", seen="returned 503", fault=faults.status(503, body=b"<html>")),
    OddCase(name="408 and other statuses", kind="retry", seen="returned 408", fault=faults.status(408)),
    OddCase(name="204", kind="retry", seen="returned 204", fault=faults.status(204)),
    OddCase(
        name="400, 403 or 404 that is no JSON object",
        kind="retry",
        seen="with something that is no JSON object: a proxy in between?",
        fault=faults.status(403, body=b"<html>blocked"),
    ),
    OddCase(name="a redirect", kind="retry", seen="returned 302", fault=faults.redirect(f"{ELSEWHERE}/api/v2/logs")),
    OddCase(
        name="429",
        kind="retry",
        seen="Auth0 asks us to wait",
        fault=faults.status(429, headers=(("Retry-After", "7"),)),
    ),
    OddCase(name="401 once", kind="refresh", seen="token received", fault=faults.status(401)),
    OddCase(
        name="200 with HTML", kind="retry", seen="an HTML page (a proxy or a login page in between?)", fault=tenant_faults.html()
    ),
    OddCase(name="200 with a JSON object", kind="retry", seen="a JSON object", fault=tenant_faults.json_object()),
    OddCase(name="200 with nothing", kind="retry", seen="nothing (an empty body)", fault=faults.status(200)),
    OddCase(
        name="a byte order mark before the JSON",
        kind="retry",
        seen="a byte order mark",
        fault=body("mark", lambda page: b"\xef\xbb\xbf" + page),
    ),
    OddCase(name="JSON that breaks off", kind="retry", seen="breaks off or is damaged", fault=tenant_faults.truncated_json()),
    OddCase(
        name="a body beyond 64 MiB", kind="retry", seen="lower BATCH_SIZE", fault=faults.status(200, body=b" " * (BODY_CAP + 1))
    ),
    OddCase(
        name="a response that takes longer than 30 s",
        kind="retry",
        seen="gave no complete response within",
        fault=faults.drip(0.05),
    ),
    OddCase(name="no response at all", kind="retry", seen="gave no complete response within", fault=faults.hang_before_headers()),
    OddCase(name="a connection that is cut", kind="retry", seen="no response from", fault=faults.short_body()),
    OddCase(name="an entry without an id", kind="retry", seen="has no usable log_id or _id", fault=tenant_faults.without_id()),
    OddCase(
        name="`date` as an object",
        kind="taken",
        seen="",
        fault=body("dated", _dated),
    ),
    OddCase(
        name="an id twice on a page",
        kind="taken",
        seen="a page whose log ids do not ascend",
        fault=entries_of(lambda raws: [*raws[:5], *raws[2:]]),
    ),
    OddCase(
        name="ids that are not in order",
        kind="taken",
        seen="a page whose log ids do not ascend",
        fault=entries_of(lambda raws: [*raws[:5][::-1], *raws[5:]]),
    ),
    OddCase(name="the last page once more", kind="retry", seen="nothing in it is newer", fault=body("again", _again)),
    OddCase(
        name="an empty page with more behind it",
        kind="retry",
        seen="an empty page that names another one behind it",
        fault=body("empty", lambda _: b"[]"),
    ),
    OddCase(name="no `next`", kind="taken", seen="", fault=tenant_faults.without_link()),
    OddCase(
        name="a `next` to another host",
        kind="taken",
        seen="Auth0's next page lies elsewhere",
        fault=tenant_faults.foreign_link(ELSEWHERE),
    ),
    OddCase(
        name="a `next` to another path",
        kind="taken",
        seen="Auth0's next page lies elsewhere",
        fault=link(lambda text: text.replace("/api/v2/logs", "/api/v2/users")),
    ),
    OddCase(
        name="a `next` to this page or one before it",
        kind="taken",
        seen="Auth0's next page does not follow this one",
        fault=leading_to(0),
    ),
    OddCase(
        name="a `next` that passes over entries",
        kind="taken",
        seen="Auth0's next page does not follow this one",
        fault=leading_to(50),
    ),
    OddCase(
        name="a `next` that does not say what it follows",
        kind="taken",
        seen="Auth0's next page does not follow this one",
        fault=link(lambda text: re.sub(r"from=\d+&take=20", "sort=date:-1&page=0", text)),
    ),
    OddCase(
        name="a `next` that says it twice",
        kind="taken",
        seen="Auth0's next page does not follow this one",
        fault=link(lambda text: re.sub(r"from=\d+", rf"\g<0>&from={log_id(50)}", text)),
    ),
)

_TOKENS: Final = (
    OddCase(
        name="token: 401",
        kind="fatal",
        seen="AUTH0_CLIENT_ID or AUTH0_CLIENT_SECRET is wrong",
        fault=_refused("access_denied", "Unauthorized", 401),
        at_token=True,
    ),
    OddCase(
        name="token: 403",
        kind="fatal",
        seen="the application may not use the Management API",
        fault=_refused("access_denied", "Client is not authorized", 403),
        at_token=True,
    ),
    OddCase(
        name="token: 404",
        kind="fatal",
        seen="there is no Auth0 tenant there. Look at AUTH0_DOMAIN",
        fault=faults.status(404, body=b"Not found."),
        at_token=True,
    ),
    OddCase(
        name="403 of a page: the scope is missing",
        kind="fatal",
        seen="the application lacks the scope read:logs",
        fault=faults.status(403, body=b'{"message":"Insufficient scope, expected any of: read:logs"}'),
    ),
    OddCase(
        name="401 also with a new token",
        kind="fatal",
        seen="refuses a fresh token (401): AUTH0_AUDIENCE",
        fault=faults.status(401, body=b'{"message":"Bad audience"}'),
    ),
    OddCase(
        name="token: 429",
        kind="retry",
        seen="Auth0 asks us to wait",
        fault=faults.status(429, headers=(("Retry-After", "7"),)),
        at_token=True,
    ),
    OddCase(name="token: 5xx", kind="retry", seen="/oauth/token returned 500", fault=faults.status(500), at_token=True),
    OddCase(
        name="token: no response",
        kind="retry",
        seen="/oauth/token gave no complete response",
        fault=faults.hang_before_headers(),
        at_token=True,
    ),
    OddCase(
        name="token: HTML", kind="retry", seen="with something that is no JSON object", fault=tenant_faults.html(), at_token=True
    ),
    OddCase(
        name="token: a redirect",
        kind="retry",
        seen="/oauth/token returned 307",
        fault=faults.redirect(f"{ELSEWHERE}/oauth/token", 307),
        at_token=True,
    ),
    OddCase(
        name="token: no `access_token` in it",
        kind="retry",
        seen="without a usable access_token",
        fault=grant(access_token=None),
        at_token=True,
    ),
    OddCase(name="token: `expires_in` 0", kind="taken", seen="expires_in': 10", fault=grant(expires_in=0), at_token=True),
    OddCase(
        name="token: `expires_in` huge", kind="taken", seen="expires_in': 2592000", fault=grant(expires_in=1e300), at_token=True
    ),
    OddCase(name="token: no `expires_in`", kind="taken", seen="expires_in': 3600", fault=grant(expires_in=None), at_token=True),
)

CASES: Final = (*_PAGES, *_TOKENS)
