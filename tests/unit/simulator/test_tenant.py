"""The tenant as a poller sees it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace

import httpx
import pytest

from shared.errors import PageInvalid
from shared.event import slice_page
from simulator.entries import Entries
from simulator.faults import HttpFault
from simulator.rate_limit import RatePlan
from simulator.tenant import Tenant, UnknownFrom
from simulator.tenant_log import GeneratedLog
from simulator.tokens import Application
from tests.support import faults, tenant_faults
from tests.support.listed_log import ListedLog

NOW = 1_795_000_000.0
LOGS = "/api/v2/logs"


class ServedTenant:
    """A tenant with 30 entries, and a client of it."""

    def __init__(self) -> None:
        self.now = NOW
        self.log = GeneratedLog(origin=NOW, backlog=30, rate=1, entries=Entries(seed=3, edge_cases=0.5))
        self.tenant = Tenant(self.log, clock=self.clock)
        self.client = httpx.AsyncClient()

    def clock(self) -> float:
        return self.now

    async def use(self, tenant: Tenant) -> None:
        await self.tenant.stop()
        self.tenant = tenant
        await tenant.start()

    async def ask(self, **changes: str) -> httpx.Response:
        asked = {"grant_type": "client_credentials", "client_id": "sim-client", "client_secret": "sim-secret"}
        asked |= {"audience": f"{self.tenant.url}/api/v2/"}
        return await self.client.post(f"{self.tenant.url}/oauth/token", json=asked | changes)

    async def authorise(self) -> None:
        token = (await self.ask()).json()["access_token"]
        self.client.headers["Authorization"] = f"Bearer {token}"

    async def get(self, query: Mapping[str, str | int] | None = None, path: str = LOGS) -> httpx.Response:
        return await self.client.get(self.tenant.url + path, params=query)

    async def page(self, index: int, take: int = 5) -> httpx.Response:
        return await self.get({"from": self.log.log_id(index), "take": take})


@pytest.fixture
async def served() -> AsyncIterator[ServedTenant]:
    served = ServedTenant()
    await served.tenant.start()
    async with served.client:
        await served.authorise()
        yield served
    await served.tenant.stop()


def link(response: httpx.Response) -> str:
    return response.links["next"]["url"]


# Reading by checkpoint.


async def test_following_the_links_brings_every_entry_once_and_to_the_byte(served: ServedTenant) -> None:
    response, raws = await served.page(0), []
    while events := slice_page(response.content):
        raws += [event.raw for event in events]
        response = await served.client.get(link(response))
    assert raws == [served.log.raw(index) for index in range(1, 30)]


async def test_an_empty_page_links_to_the_very_url_it_came_from(served: ServedTenant) -> None:
    url = f"{served.tenant.url}{LOGS}?take=7&x=%20y&from={served.log.log_id(29)}"
    response = await served.client.get(url)
    assert response.content == b"[]"
    assert link(response) == url
    served.now += 1
    assert len(slice_page((await served.client.get(url)).content)) == 1


async def test_from_takes_precedence(served: ServedTenant) -> None:
    query = {"from": served.log.log_id(3), "q": "nonsense", "sort": "nonsense", "include_totals": "true"}
    response = await served.get(query)
    assert len(slice_page(response.content)) == 26
    assert response.headers["link"].endswith('&take=50>; rel="next"')


@pytest.mark.parametrize("take", ["0", "101", "x", "-1", "1.5", ""])
async def test_an_invalid_take_is_refused(served: ServedTenant, take: str) -> None:
    response = await served.get({"from": served.log.log_id(0), "take": take})
    assert response.status_code == 400
    assert response.json()["errorCode"] == "invalid_query_string"


@pytest.mark.parametrize(("unknown_from", "status"), [("400", 400), ("404", 404), ("oldest", 200)])
async def test_what_is_past_the_retention_is_gone(served: ServedTenant, unknown_from: UnknownFrom, status: int) -> None:
    log = GeneratedLog(origin=NOW, backlog=30, backlog_rate=1, retention=10)
    await served.use(Tenant(log, unknown_from=unknown_from, clock=served.clock))
    await served.authorise()
    response = await served.get({"from": log.log_id(5), "take": 2})
    assert response.status_code == status
    if unknown_from == "oldest":
        assert [event.log_id for event in slice_page(response.content)] == [log.log_id(20), log.log_id(21)]
    assert (await served.get(path=f"{LOGS}/{log.log_id(5)}")).status_code == 404
    assert (await served.get(path=f"{LOGS}/{log.log_id(25)}")).content == log.raw(25)


async def test_entries_can_be_added_while_it_runs(served: ServedTenant) -> None:
    log = ListedLog([b'{"log_id":"1"}'])
    await served.use(Tenant(log, clock=served.clock))
    await served.authorise()
    assert (await served.get({"from": "1"})).content == b"[]"
    log.append(b'{ "log_id":"2" }')
    assert (await served.get({"from": "1"})).content == b'[{ "log_id":"2" }]'


# Search.


async def test_the_oldest_and_the_newest(served: ServedTenant) -> None:
    for sort, pick in ((1, min), (-1, max)):
        response = await served.get({"sort": f"date:{sort}", "per_page": 1})
        [event] = slice_page(response.content)
        assert event.raw == served.log.raw(pick(served.log.span(NOW), key=served.log.date))


@pytest.mark.parametrize(("q", "count"), [("date:[{} TO *]", 5), ("date:{{{} TO *]", 4), ("date:[* TO {}}}", 25), ("", 30)])
async def test_a_range_of_dates(served: ServedTenant, q: str, count: int) -> None:
    log = ListedLog(b'{"log_id":"%02d","date":"2026-11-20T00:00:%02d.000Z"}' % (second, second) for second in range(30))
    await served.use(Tenant(log, clock=served.clock))
    await served.authorise()
    response = await served.get({"q": q.format("2026-11-20T00:00:25.000Z"), "per_page": 3, "include_totals": "true"})
    assert response.json()["total"] == count
    assert [response.json()[name] for name in ("start", "limit", "length")] == [0, 3, 3]


async def test_no_search_goes_beyond_a_thousand(served: ServedTenant) -> None:
    response = await served.get({"page": 10, "per_page": 100})
    assert response.status_code == 400
    assert response.json()["message"] == "Requesting page 11 exceeds the allowed maximum of 1000 records"
    assert (await served.get({"page": 9, "per_page": 100})).json() == []


@pytest.mark.parametrize("query", [{"q": "type:s"}, {"q": "date:[x TO *]"}, {"sort": "type:1"}, {"per_page": "101"}])
async def test_a_search_it_cannot_do_is_refused(served: ServedTenant, query: dict[str, str]) -> None:
    assert (await served.get(query)).status_code == 400


# Tokens.


async def test_a_token_tells_its_scope_and_how_long_it_lasts(served: ServedTenant) -> None:
    response = (await served.ask()).json()
    assert (response["scope"], response["expires_in"], response["token_type"]) == ("read:logs", 86_400, "Bearer")


async def test_wrong_credentials_and_a_missing_grant_are_told_apart(served: ServedTenant) -> None:
    wrong = await served.ask(client_secret="no")
    assert (wrong.status_code, wrong.json()["error"]) == (401, "access_denied")
    served.tenant.tokens.application = Application(authorised=False)
    missing = await served.ask()
    assert (missing.status_code, missing.json()["error"]) == (403, "access_denied")
    assert "is not authorized to access" in missing.json()["error_description"]
    assert (await served.ask(audience="https://other.example/")).status_code == 403
    assert (await served.ask(grant_type="password")).json()["error"] == "unsupported_grant_type"


async def test_a_token_expires_and_can_be_revoked(served: ServedTenant) -> None:
    served.now += 86_399
    assert (await served.page(0)).status_code == 200
    served.now += 1
    assert (await served.page(0)).status_code == 401
    await served.authorise()
    assert (await served.page(0)).status_code == 200
    served.tenant.tokens.revoke()
    assert (await served.page(0)).status_code == 401
    assert served.tenant.count("/oauth/token") == 2


async def test_no_token_and_no_scope(served: ServedTenant) -> None:
    served.tenant.tokens.application = replace(served.tenant.tokens.application, scope="read:users")
    refused = await served.page(0)
    assert (refused.status_code, refused.json()["errorCode"]) == (403, "insufficient_scope")
    assert "read:logs" in refused.json()["message"]
    del served.client.headers["Authorization"]
    assert (await served.page(0)).status_code == 401


async def test_other_paths_are_unknown(served: ServedTenant) -> None:
    assert (await served.get(path="/api/v2/users")).status_code == 404
    assert (await served.client.post(served.tenant.url + LOGS)).status_code == 404


# The rate limit.


async def test_a_429_comes_with_everything_auth0_sends(served: ServedTenant) -> None:
    await served.use(Tenant(served.log, plan=RatePlan(2, 0.5), retry_after=True, clock=served.clock))
    await served.authorise()
    responses = [await served.page(0) for _ in range(3)]
    assert [response.status_code for response in responses] == [200, 200, 429]
    assert [response.headers["x-ratelimit-remaining"] for response in responses] == ["1", "0", "0"]
    refused = responses[-1]
    assert (refused.headers["x-ratelimit-limit"], refused.headers["x-ratelimit-reset"]) == ("2", str(int(NOW) + 4))
    assert refused.headers["retry-after"] == "2"
    assert refused.json()["errorCode"] == "too_many_requests"
    served.now += 2
    assert (await served.page(0)).status_code == 200


# Faults.


async def test_faults_with_a_status_come_in_order_and_are_recorded(served: ServedTenant) -> None:
    served.tenant.faults.in_order(
        faults.status(500), faults.status(429, headers=(("Retry-After", "7"),)), faults.redirect("http://other.invalid/")
    )
    responses = [await served.page(0) for _ in range(4)]
    assert [response.status_code for response in responses] == [500, 429, 302, 200]
    assert responses[1].headers["retry-after"] == "7"
    assert [seen.status for seen in served.tenant.requests if seen.path == LOGS] == [500, 429, 302, 200]
    assert [seen.fault for seen in served.tenant.requests][-4:] == ["500", "429", "302", None]


async def test_token_faults_are_apart(served: ServedTenant) -> None:
    served.tenant.token_faults.add(faults.status(503), times=1)
    assert (await served.page(0)).status_code == 200
    assert [(await served.ask()).status_code for _ in range(2)] == [503, 200]


@pytest.mark.parametrize(
    "fault",
    [faults.short_body(), faults.reset_before_headers(), faults.reset_after_headers(), faults.close(), faults.cut_headers()],
    ids=lambda fault: fault.name,
)
async def test_a_cut_response_never_looks_like_a_whole_one(served: ServedTenant, fault: HttpFault) -> None:
    served.tenant.faults.in_order(fault)
    with pytest.raises(httpx.TransportError):
        await served.page(0)
    assert (await served.page(0)).status_code == 200


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        (tenant_faults.html(), "HTML"),
        (tenant_faults.json_object(), "JSON object"),
        (tenant_faults.truncated_json(), "breaks off"),
        (tenant_faults.without_id(), "no usable log_id"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
async def test_a_page_that_is_none(served: ServedTenant, fault: HttpFault, complaint: str) -> None:
    served.tenant.faults.in_order(fault)
    response = await served.page(0)
    assert response.status_code == 200
    with pytest.raises(PageInvalid, match=complaint):
        slice_page(response.content)


async def test_a_link_to_somewhere_else_and_none_at_all(served: ServedTenant) -> None:
    served.tenant.faults.in_order(tenant_faults.foreign_link("http://evil.invalid:1"), tenant_faults.without_link())
    assert link(await served.page(0)).startswith(f"http://evil.invalid:1{LOGS}?from=900")
    assert not (await served.page(0)).links


async def test_a_slow_response_is_the_usual_one_but_late(served: ServedTenant) -> None:
    usual = await served.page(0)
    served.tenant.faults.in_order(faults.slow(0.02))
    assert (await served.page(0)).content == usual.content
