"""The Auth0 client against a tenant on the loopback: tokens, pages, and everything that can come instead of them."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final

import pytest
import trustme
from structlog.testing import capture_logs

from producer.auth0.client import Auth0Logs
from shared import masking
from shared.errors import (
    Auth0Unavailable,
    CheckpointUnknown,
    CredentialsRefused,
    PageInvalid,
    RateLimited,
    ScopeMissing,
    WebhooksError,
)
from simulator.faults import HttpFault
from simulator.http import Exchange, Server
from simulator.tenant import Tenant
from simulator.wire import HttpRequest, HttpResponse
from tests.integration.pollers import APPLICATION, LOGS, TLS, entry, log_id
from tests.support import faults, tenant_faults
from tests.support.listed_log import ListedLog

SECRET: Final = APPLICATION.client_secret
TOKEN: Final = "/oauth/token"


@dataclass(slots=True)
class TokenClock:
    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass(slots=True)
class Auth0Setup:
    """A tenant with 30 entries; clients of it read five a page."""

    clock: TokenClock = field(default_factory=TokenClock)
    tenant: Tenant = field(init=False)
    clients: list[Auth0Logs] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tenant = Tenant(ListedLog(map(entry, range(30))), application=APPLICATION, clock=self.clock)

    def logs(
        self,
        *,
        secret: str = SECRET,
        url: str = "",
        deadline: float = 5,
        body_cap: int = 1 << 20,
        tls: ssl.SSLContext | None = None,
    ) -> Auth0Logs:
        base_url = url or self.tenant.url
        logs = Auth0Logs(
            base_url=base_url,
            client_id="client",
            client_secret=secret,
            audience=f"{base_url}/api/v2/",
            batch_size=5,
            tls=tls or TLS,
            deadline=deadline,
            body_cap=body_cap,
            clock=self.clock,
        )
        self.clients.append(logs)
        return logs

    @property
    def tokens(self) -> int:
        """How many tokens were asked for."""
        return self.tenant.count(TOKEN)

    @property
    def statuses(self) -> list[int]:
        """Of the responses of the log's endpoint."""
        return [seen.status for seen in self.tenant.requests if seen.path == LOGS]


@pytest.fixture
async def auth0() -> AsyncIterator[Auth0Setup]:
    auth0 = Auth0Setup()
    await auth0.tenant.start()
    yield auth0
    for client in auth0.clients:
        await client.close()
    await auth0.tenant.stop()


@asynccontextmanager
async def elsewhere() -> AsyncIterator[tuple[Server, list[HttpRequest]]]:
    """Another origin, which notes what it is asked."""
    got: list[HttpRequest] = []

    def respond(request: HttpRequest, exchange: Exchange) -> None:
        got.append(request)
        exchange.respond(HttpResponse.json_bytes(200, b"[]"))

    server = Server(respond)
    await server.start()
    try:
        yield server, got
    finally:
        await server.stop()


async def read_on(logs: Auth0Logs, start: int = 0) -> list[str]:
    """Every id behind `start`, by the links, until a page is empty."""
    page, found = await logs.after(log_id(start)), []
    while page.events:
        found += [event.log_id for event in page.events]
        page = await (logs.follow(page.following) if page.following else logs.after(found[-1]))
    return found


def ids(start: int, stop: int) -> list[str]:
    return [log_id(number) for number in range(start, stop)]


def grant(**fields: object) -> HttpFault:
    """A token like the usual one, but for these fields; None takes one away."""

    def change(response: HttpResponse) -> HttpResponse:
        changed = json.loads(response.body) | fields
        return HttpResponse.json(response.status, {name: value for name, value in changed.items() if value is not None})

    return HttpFault(name="grant", change=change)


def linked(link: Callable[[str], str]) -> HttpFault:
    """The usual page, with a `Link` made out of the usual one's URL."""

    def change(response: HttpResponse) -> HttpResponse:
        match = re.search(r"<(.*?)>", response.header("Link") or "")
        return response.with_header("Link", link(match[1])) if match else response

    return HttpFault(name="linked", change=change)


# The token.


async def test_one_token_serves_many_pages(auth0: Auth0Setup) -> None:
    logs = auth0.logs()
    assert await read_on(logs) == await read_on(logs) == ids(1, 30)
    assert auth0.tokens == 1


async def test_a_token_is_renewed_before_it_expires(auth0: Auth0Setup) -> None:
    auth0.tenant.tokens.application = replace(APPLICATION, lifetime=100)
    logs, start = auth0.logs(), auth0.clock.now
    for moment, tokens in ((0, 1), (89, 1), (91, 2), (99, 2), (180, 2), (182, 3)):
        auth0.clock.now = start + moment
        await logs.after(log_id(0))
        assert auth0.tokens == tokens, moment
    assert set(auth0.statuses) == {200}


async def test_the_shortest_life_costs_no_token_for_each_page(auth0: Auth0Setup) -> None:
    auth0.tenant.tokens.application = replace(APPLICATION, lifetime=1)
    assert await read_on(auth0.logs()) == ids(1, 30)
    assert auth0.tokens == 1


async def test_a_token_that_is_refused_is_replaced_once(auth0: Auth0Setup) -> None:
    logs = auth0.logs()
    await logs.after(log_id(0))
    auth0.tenant.tokens.revoke()
    assert await read_on(logs) == ids(1, 30)
    assert auth0.tokens == 2
    assert auth0.statuses.count(401) == 1


async def test_a_second_refusal_is_no_loop(auth0: Auth0Setup) -> None:
    auth0.tenant.faults.add(faults.status(401, body=b'{"statusCode":401,"error":"Unauthorized","message":"Bad audience"}'))
    logs = auth0.logs()
    for tries in (1, 2, 3):
        with pytest.raises(CredentialsRefused, match=r"AUTH0_AUDIENCE.*dashboard under Applications → APIs"):
            await logs.after(log_id(0))
        assert auth0.statuses == [401] * tries
        assert auth0.tokens == 1  # another one would be of the same audience
    auth0.clock.now += 300
    with pytest.raises(CredentialsRefused):
        await logs.after(log_id(0))
    assert auth0.tokens == 2
    auth0.tenant.faults.clear()
    assert await read_on(logs) == ids(1, 30)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"client_secret": "rotated"}, CredentialsRefused, "401 (Unauthorized): AUTH0_CLIENT_ID or AUTH0_CLIENT_SECRET is wrong"),
        ({"client_secret": "rotated"}, CredentialsRefused, "Applications → Applications → your application → Settings"),
        ({"authorised": False}, CredentialsRefused, "403 (Client is not authorized to access"),
        ({"authorised": False}, CredentialsRefused, "APIs → Auth0 Management API → Machine to Machine Applications"),
        ({"audience": "https://other/api/v2/"}, CredentialsRefused, "see that AUTH0_AUDIENCE (http://127.0.0.1"),
        ({"scope": "read:users"}, ScopeMissing, "403 (Insufficient scope, expected any of: read:logs)"),
        ({"scope": ""}, ScopeMissing, "APIs → Auth0 Management API → Machine to Machine Applications → your application"),
    ],
)
async def test_what_has_to_be_done_in_the_dashboard_is_told_apart(
    auth0: Auth0Setup, change: dict[str, object], error: type[WebhooksError], words: str
) -> None:
    auth0.tenant.tokens.application = replace(APPLICATION, **change)  # type: ignore[arg-type]
    with pytest.raises(error, match=re.escape(words)):
        await auth0.logs().after(log_id(0))


async def test_an_application_without_client_credentials_is_told_so(auth0: Auth0Setup) -> None:
    body = b'{"error":"unauthorized_client","error_description":"Grant type \'client_credentials\' not allowed for the client."}'
    auth0.tenant.token_faults.add(faults.status(403, body=body))
    with pytest.raises(CredentialsRefused, match=r"not allowed for the client\.\).*Advanced Settings → Grant Types"):
        await auth0.logs().after(log_id(0))


@pytest.mark.parametrize(
    "life", [None, 0, -5, 1e308, 10**400, "86400", "soon", True, [], {}, float("nan"), float("inf"), float("-inf")], ids=repr
)
async def test_whatever_the_life_of_a_token_is(auth0: Auth0Setup, life: object) -> None:
    """It is used for several pages, and not without end."""
    auth0.tenant.token_faults.add(grant(expires_in=life))
    logs = auth0.logs()
    assert await read_on(logs) == ids(1, 30)
    assert auth0.tokens == 1
    auth0.clock.now += 31 * 86_400
    auth0.tenant.tokens.revoke()
    await logs.after(log_id(0))
    assert auth0.tokens == 2
    assert auth0.statuses.count(401) == 0


@pytest.mark.parametrize("token", [None, "", 7, "two words", "line\nbreak", "é", "\ud83d", ["x"]], ids=repr)
async def test_a_token_that_cannot_be_one_is_a_response_we_cannot_read(auth0: Auth0Setup, token: object) -> None:
    """Such a token once ended the process, or stood in the message of the HTTP library."""
    auth0.tenant.token_faults.add(grant(access_token=token), times=1)
    logs = auth0.logs()
    with pytest.raises(Auth0Unavailable, match=r"/oauth/token returned 200 without a usable access_token$"):
        await logs.after(log_id(0))
    assert await read_on(logs) == ids(1, 30)


TOKEN_TROUBLE: Final[dict[str, tuple[HttpFault, type[WebhooksError], str]]] = {
    "429": (faults.status(429, headers=(("Retry-After", "7"),)), RateLimited, "returned 429"),
    "500": (faults.status(500), Auth0Unavailable, "returned 500"),
    "html": (tenant_faults.html(), Auth0Unavailable, "returned 200 with something that is no JSON object"),
    "html 403": (faults.status(403, body=b"<html>blocked</html>"), Auth0Unavailable, "returned 403 with something"),
    "html 401": (faults.status(401, body=b"<html>sign in</html>"), Auth0Unavailable, "returned 401 with something"),
    "html 404": (
        faults.status(404, body=b"Not found."),
        CredentialsRefused,
        "there is no Auth0 tenant there. Look at AUTH0_DOMAIN",
    ),
    "list": (faults.status(200, body=b"[]"), Auth0Unavailable, "no JSON object"),
    "deep": (faults.status(200, body=b"[" * 200_000), Auth0Unavailable, "no JSON object"),
    "hang": (faults.hang_before_headers(), Auth0Unavailable, "no complete response within 1 s"),
    "hang in the body": (faults.hang_after_headers(), Auth0Unavailable, "no complete response within 1 s"),
    "drip": (faults.drip(0.01), Auth0Unavailable, "no complete response within 1 s"),
    "cut": (faults.short_body(), Auth0Unavailable, "no response from"),
    "reset": (faults.reset_before_headers(), Auth0Unavailable, "no response from"),
    "garbage": (
        faults.status(200, headers=(("Content-Encoding", "gzip"),), body=b"no gzip"),
        Auth0Unavailable,
        "no response from",
    ),
}


@pytest.mark.parametrize(("fault", "error", "words"), TOKEN_TROUBLE.values(), ids=TOKEN_TROUBLE)
async def test_trouble_at_the_token_endpoint(auth0: Auth0Setup, fault: HttpFault, error: type[WebhooksError], words: str) -> None:
    auth0.tenant.token_faults.add(fault)
    logs = auth0.logs(deadline=1)
    with pytest.raises(error, match=re.escape(words)) as caught:
        await logs.after(log_id(0))
    assert "/oauth/token" in str(caught.value)
    assert auth0.statuses == []
    auth0.tenant.token_faults.clear()
    assert await read_on(logs) == ids(1, 30)


async def test_neither_secret_nor_token_stands_in_a_message(auth0: Auth0Setup) -> None:
    """Also when Auth0 echoes the secret."""
    echo = json.dumps({"error": "access_denied", "error_description": f"wrong secret {SECRET}\u202e\n"}).encode()
    token = [faults.status(401, body=echo), *(fault for fault, _, _ in TOKEN_TROUBLE.values()), grant(access_token="bad\ntoken")]
    page = [*map(faults.status, (400, 401, 401, 403, 404, 500)), tenant_faults.html(), faults.short_body()]
    logs, messages = auth0.logs(deadline=0.3), []
    masking.use([SECRET])  # as the process does at its start
    with capture_logs() as lines:
        for fault in token:
            auth0.tenant.token_faults.in_order(fault)
            with pytest.raises(WebhooksError) as caught:
                await logs.after(log_id(0))
            messages.append(repr(caught.value))
        for fault in page:
            auth0.tenant.faults.in_order(fault, fault)
            with pytest.raises(WebhooksError) as caught:
                await logs.after(log_id(0))
            messages.append(repr(caught.value))
    assert "wrong secret ***" in messages[0]
    written = repr(lines) + "".join(messages)
    assert not any(canary in written for canary in (SECRET, "simulated-token", "bad"))


async def test_a_token_that_the_api_hands_back_is_masked(auth0: Auth0Setup) -> None:
    logs = auth0.logs()
    await logs.after(log_id(0))
    echo = json.dumps({"message": "x" * 190 + " simulated-token-1 lacks the scope"}).encode()
    auth0.tenant.faults.in_order(faults.status(403, body=echo))
    with pytest.raises(ScopeMissing, match=r"x \*\*\* lacks") as caught:
        await logs.after(log_id(0))
    assert "simul" not in str(caught.value)


# Pages.


async def test_the_first_entry_is_the_oldest_by_id(auth0: Auth0Setup) -> None:
    """Entries that reached the log late have later ids and earlier dates; beginning there would skip the ones before."""
    auth0.tenant.log = ListedLog(
        [entry(number) for number in range(20)] + [entry(number, date="2026-11-19T00:00:00.000Z") for number in range(20, 25)]
    )
    logs = auth0.logs()
    first = await logs.first()
    assert first is not None
    assert first.log_id == log_id(0)
    assert first.raw == entry(0)
    assert await read_on(logs) == ids(1, 25)
    assert auth0.tenant.requests[1].target == f"{LOGS}?sort=date%3A1&page=0&per_page=100"


async def test_the_first_entry_is_found_behind_a_page_of_late_ones_also_when_the_tenant_asks_to_wait(auth0: Auth0Setup) -> None:
    dates = ["2026-11-20T00:00:00.000Z"] * 20 + ["2026-11-19T23:59:00.000Z"] * 230
    ids = [f"90020261120000000{number:039d}" for number in range(250)]
    auth0.tenant.log = ListedLog(
        f'{{"log_id":"{log_id}","type":"s","date":"{date}"}}'.encode() for log_id, date in zip(ids, dates, strict=True)
    )
    auth0.tenant.faults.in_order(None, faults.status(429))
    logs = auth0.logs()
    with pytest.raises(RateLimited):
        await logs.first()
    first = await logs.first()
    assert first is not None
    assert first.log_id == ids[0]
    pages = [re.search(r"[?&]page=(\d+)", request.target) for request in auth0.tenant.requests[1:]]
    assert [page and page[1] for page in pages] == ["0", "1", "1", "2"]


async def test_an_empty_log_has_no_first_entry(auth0: Auth0Setup) -> None:
    auth0.tenant.log = ListedLog()
    assert await auth0.logs().first() is None


async def test_only_the_first_request_is_built_by_hand(auth0: Auth0Setup) -> None:
    auth0.tenant.faults.add(linked(lambda url: f'<{url}&opaque=%20a%2Fb;c>; rel="next"'))
    assert await read_on(auth0.logs(), 20) == ids(21, 30)
    targets = [seen.target for seen in auth0.tenant.requests if seen.path == LOGS]
    assert targets == [
        f"{LOGS}?from={log_id(20)}&take=5",
        f"{LOGS}?from={log_id(25)}&take=5&opaque=%20a%2Fb;c",
        f"{LOGS}?from={log_id(29)}&take=5&opaque=%20a%2Fb;c",
    ]


async def test_an_empty_page_leads_to_itself(auth0: Auth0Setup) -> None:
    logs = auth0.logs()
    page = await logs.after(log_id(29))
    assert page.events == []
    assert page.following == f"{auth0.tenant.url}{LOGS}?from={log_id(29)}&take=5"
    assert isinstance(auth0.tenant.log, ListedLog)
    auth0.tenant.log.append(entry(30))
    assert [event.log_id for event in (await logs.follow(page.following)).events] == [log_id(30)]


async def test_a_short_page_is_not_the_end(auth0: Auth0Setup) -> None:
    """Auth0 may give fewer than were asked for."""

    def two(response: HttpResponse) -> HttpResponse:
        raws = response.body.strip(b"[]").replace(b"},{", b"}\n{").split(b"\n")[:2]
        link = f'<{LOGS}?from={json.loads(raws[-1])["log_id"]}&take=5>; rel="next"' if raws[0] else response.header("Link")
        return HttpResponse.json_bytes(200, b"[" + b",".join(raws) + b"]", (("Link", link or ""),))

    auth0.tenant.faults.add(HttpFault(name="two", change=two))
    assert await read_on(auth0.logs()) == ids(1, 30)


@pytest.mark.parametrize(
    "link",
    [
        lambda url: f'<{url}>; rel="next"',
        lambda url: f"<{url}>;rel=next",
        lambda url: f'<{url}>; title="a page"; REL="Next"',
        lambda url: f'<{url.partition("/api")[0]}/api/v2/logs/other>; rel="prev", <{url}>; rel="next"',
        lambda url: f'<{url.partition("/api")[0].upper().replace("HTTP", "http")}/api{url.partition("/api")[2]}>; rel="next"',
        lambda url: f'</api{url.partition("/api")[2]}>; rel="next"',
        lambda url: f'<?{url.partition("?")[2]}>; rel="next"',
    ],
)
async def test_a_link_is_followed_however_it_is_written(auth0: Auth0Setup, link: Callable[[str], str]) -> None:
    auth0.tenant.faults.add(linked(link))
    page = await auth0.logs().after(log_id(0))
    assert page.following == f"{auth0.tenant.url}{LOGS}?from={log_id(5)}&take=5"


@pytest.mark.parametrize(
    "link",
    [
        "",
        "next",
        '<>; rel="prev"',
        '</a>; rel="nextpage"',
        '<http://[::1>; rel="next"',
        '<http://127.0.0.1:99999999/>; rel="next"',
        '<http://user:password@{host}/api/v2/logs>; rel="next"',
        '<https://{host}/api/v2/logs>; rel="next"',
        '<//elsewhere.example/api/v2/logs>; rel="next"',
        '<javascript:alert(1)>; rel="next"',
        f'</{"a" * 70_000}>; rel="next"',
        '<http://xn--\xe9\xa9.com>; rel="next"',
    ],
    ids=lambda link: link[:40],
)
async def test_what_is_no_link_of_this_tenant_is_not_followed(auth0: Auth0Setup, link: str) -> None:
    """Some of these once ended the process with the URL parser's own exception."""
    host = auth0.tenant.url.partition("://")[2]
    auth0.tenant.faults.add(linked(lambda _: link.replace("{host}", host)))
    page = await auth0.logs().after(log_id(0))
    assert page.following is None
    assert [event.log_id for event in page.events] == ids(1, 6)


async def test_no_link_at_all_is_no_trouble(auth0: Auth0Setup) -> None:
    auth0.tenant.faults.add(tenant_faults.without_link())
    assert await read_on(auth0.logs()) == ids(1, 30)


async def test_the_token_never_goes_to_another_origin(auth0: Auth0Setup) -> None:
    async with elsewhere() as (other, got):
        auth0.tenant.faults.add(tenant_faults.foreign_link(other.url))
        with capture_logs() as lines:
            assert await read_on(auth0.logs()) == ids(1, 30)
        auth0.tenant.faults.clear()
        auth0.tenant.faults.add(faults.redirect(f"{other.url}/api/v2/logs"))
        with pytest.raises(Auth0Unavailable, match="returned 302"):
            await auth0.logs().after(log_id(0))
        auth0.tenant.token_faults.add(faults.redirect(f"{other.url}/oauth/token", 307))
        with pytest.raises(Auth0Unavailable, match="/oauth/token returned 307"):
            await auth0.logs().after(log_id(0))
        assert got == []
    assert [line["event"] for line in lines if line["log_level"] == "warning"] == [
        "Auth0's next page lies elsewhere; asking by checkpoint instead"
    ]


@pytest.mark.parametrize("unknown_from", ["400", "404"])
async def test_an_id_that_the_tenant_does_not_know(auth0: Auth0Setup, unknown_from: str) -> None:
    auth0.tenant.log = ListedLog([entry(number) for number in range(10, 20)])
    auth0.tenant._unknown_from = unknown_from  # type: ignore[assignment]
    with pytest.raises(
        CheckpointUnknown,
        match=rf"does not know the log id {log_id(0)} .*returned {unknown_from} \(The log event given as from",
    ):
        await auth0.logs().after(log_id(0))


@pytest.mark.parametrize("status", [400, 404])
async def test_a_page_that_is_refused_though_the_entry_is_known_is_no_reason_to_reset(auth0: Auth0Setup, status: int) -> None:
    auth0.tenant.faults.add(faults.status(status, body=b'{"message":"no"}'), times=1)
    with pytest.raises(Auth0Unavailable, match=rf"returned {status} \(no\)"):
        await auth0.logs().after(log_id(0))
    assert auth0.tenant.requests[-1].target == f"{LOGS}/{log_id(0)}"


async def test_a_checkpoint_that_is_no_auth0_id_is_asked_for_as_it_is(auth0: Auth0Setup) -> None:
    with pytest.raises(CheckpointUnknown, match="returned 400"):
        await auth0.logs().after("a&b=c#d/é?")
    targets = [seen.target for seen in auth0.tenant.requests[-2:]]
    assert targets == [f"{LOGS}?from=a%26b%3Dc%23d%2F%C3%A9%3F&take=5", f"{LOGS}/a%26b%3Dc%23d%2F%C3%A9%3F"]


PAGE_TROUBLE: Final[dict[str, tuple[HttpFault, type[WebhooksError], str]]] = {
    "500": (faults.status(500), Auth0Unavailable, "returned 500"),
    "502 html": (faults.status(502, body=b"<html>"), Auth0Unavailable, "returned 502"),
    "204": (faults.status(204), Auth0Unavailable, "returned 204"),
    "403 html": (faults.status(403, body=b"<html>blocked"), Auth0Unavailable, "403 with something that is no JSON object"),
    "400 html": (faults.status(400, body=b"<html>bad"), Auth0Unavailable, "400 with something that is no JSON object"),
    "html": (tenant_faults.html(), PageInvalid, "returned 200 (text/html, 109 bytes), but expected a JSON array"),
    "object": (tenant_faults.json_object(), PageInvalid, "a JSON object"),
    "truncated": (tenant_faults.truncated_json(), PageInvalid, "breaks off or is damaged"),
    "empty body": (faults.status(200), PageInvalid, "(no content type, 0 bytes), but expected a JSON array of log entries"),
    "without id": (tenant_faults.without_id(), PageInvalid, "entry 0 of the page has no usable log_id"),
    "close": (faults.close(), Auth0Unavailable, "no response from"),
    "cut headers": (faults.cut_headers(), Auth0Unavailable, "no response from"),
    "cut body": (faults.short_body(), Auth0Unavailable, "no response from"),
    "reset": (faults.reset_after_headers(), Auth0Unavailable, "no response from"),
    "hang": (faults.hang_before_headers(), Auth0Unavailable, "no complete response within 1 s"),
    "hang in the body": (faults.hang_after_headers(), Auth0Unavailable, "no complete response within 1 s"),
    "drip": (faults.drip(0.005), Auth0Unavailable, "no complete response within 1 s"),
    "too large": (faults.status(200, body=b" " * 5000), Auth0Unavailable, "larger than 0.00390625 MiB: lower BATCH_SIZE"),
}


@pytest.mark.parametrize(("fault", "error", "words"), PAGE_TROUBLE.values(), ids=PAGE_TROUBLE)
async def test_what_comes_instead_of_a_page(auth0: Auth0Setup, fault: HttpFault, error: type[WebhooksError], words: str) -> None:
    auth0.tenant.faults.add(fault)
    logs = auth0.logs(deadline=1, body_cap=4096)
    async with asyncio.timeout(10):
        with pytest.raises(error, match=re.escape(words)) as caught:
            await logs.after(log_id(0))
    assert "take=" not in str(caught.value)
    auth0.tenant.faults.clear()
    assert await read_on(logs) == ids(1, 30)
    assert auth0.tokens == 1


# 429.


@pytest.mark.parametrize(
    ("header", "value", "wait"),
    [("Retry-After", "7", 7), ("x-ratelimit-reset", "1793833207", 7), ("x-none", "", 10)],
)
async def test_a_429_says_how_long_to_wait(auth0: Auth0Setup, header: str, value: str, wait: float) -> None:
    dated = (("Date", "Wed, 04 Nov 2026 23:00:00 GMT"), (header, value))
    auth0.tenant.faults.add(faults.status(429, headers=dated))
    with pytest.raises(RateLimited) as caught:
        await auth0.logs().after(log_id(0))
    assert caught.value.wait == wait


async def test_a_429_whose_body_never_comes_says_it_too(auth0: Auth0Setup) -> None:
    """It once counted as no response, and was asked for again too early."""
    limited = HttpResponse(429, b"{}", (("Retry-After", "7"),))
    auth0.tenant.faults.add(replace(faults.hang_after_headers(), change=lambda _: limited))
    with pytest.raises(RateLimited) as caught:
        await auth0.logs(deadline=5).after(log_id(0))
    assert caught.value.wait == 7


# The connection.


async def test_a_tenant_that_is_not_there(auth0: Auth0Setup) -> None:
    await auth0.tenant.stop()
    logs = auth0.logs()
    with pytest.raises(Auth0Unavailable, match=r"no response from http://127.0.0.1:\d+/oauth/token: \w+"):
        await logs.after(log_id(0))
    await auth0.tenant.start(port=auth0.tenant.port)
    assert await read_on(logs) == ids(1, 30)


async def test_an_authority_that_is_not_trusted_names_the_setting(auth0: Auth0Setup) -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    secured = Tenant(auth0.tenant.log, application=APPLICATION, clock=auth0.clock, tls=context)
    await secured.start()
    url = f"https://localhost:{secured.port}"
    with pytest.raises(Auth0Unavailable, match=r"CERTIFICATE_VERIFY_FAILED.*AUTH0_CA_FILE"):
        await auth0.logs(url=url).after(log_id(0))
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    assert await read_on(auth0.logs(url=url, tls=trust)) == ids(1, 30)
    await secured.stop()
