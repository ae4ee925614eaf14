"""The tenant, read by Auth0's own Python client, which has an independent understanding of the API."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from auth0.management.client import Auth0
from auth0.management.core.parse_error import ParsingError
from auth0.management.errors.forbidden_error import ForbiddenError
from auth0.management.errors.not_found_error import NotFoundError
from auth0.management.errors.too_many_requests_error import TooManyRequestsError
from auth0.management.errors.unauthorized_error import UnauthorizedError

from simulator.entries import Entries
from simulator.rate_limit import RatePlan
from simulator.tenant import Tenant
from simulator.tenant_log import GeneratedLog
from simulator.tokens import Application
from tests.support.background import in_background

NOW = 1_795_000_000.0
LOG = GeneratedLog(origin=NOW, backlog=230, entries=Entries(seed=5, edge_cases=0))
IDS = [LOG.log_id(index) for index in range(230)]
BY_DATE = [LOG.log_id(index) for index in sorted(range(230), key=LOG.date)]


class Sdk:
    def __init__(self, tenant: Tenant) -> None:
        asked = {"grant_type": "client_credentials", "client_id": "sim-client", "client_secret": "sim-secret"}
        asked |= {"audience": "https://acme.eu.auth0.com/api/v2/"}
        token = httpx.post(f"{tenant.url}/oauth/token", json=asked).json()["access_token"]
        self.http = httpx.Client(timeout=20)
        self.logs = Auth0(base_url=f"{tenant.url}/api/v2", token=token, httpx_client=self.http, max_retries=0).logs

    def checkpoint(self, log_id: str, take: int) -> tuple[list[str], str]:
        """The ids of a page, and its `Link`.

        The SDK has no method of its own for it: `logs.list` passes `from` on, but expects the object that a search returns.
        A page by checkpoint is a list, whatever `include_totals` says, and comes out as the body of an error with status 200.
        """
        with pytest.raises(ParsingError) as caught:
            self.logs.list(request_options={"additional_query_parameters": {"from": log_id, "take": take}})
        assert caught.value.status_code == 200
        body, headers = caught.value.body, caught.value.headers
        assert isinstance(body, list)
        assert headers is not None
        return [entry["log_id"] for entry in body], headers["link"]


@pytest.fixture(scope="module")
def tenant() -> Iterator[Tenant]:
    with in_background(Tenant(LOG, clock=lambda: NOW)) as (tenant,):
        yield tenant


@pytest.fixture
def sdk(tenant: Tenant) -> Iterator[Sdk]:
    sdk = Sdk(tenant)
    with sdk.http:
        yield sdk


def test_search_pages_through_everything(sdk: Sdk) -> None:
    pager = sdk.logs.list(sort="date:1", per_page=100)
    assert pager.response is not None
    assert pager.response.total == 230
    assert [entry.log_id for entry in pager] == BY_DATE


def test_search_finds_the_newest(sdk: Sdk) -> None:
    assert [entry.log_id for entry in sdk.logs.list(sort="date:-1", per_page=1).items or ()] == BY_DATE[-1:]


def test_search_by_date(sdk: Sdk) -> None:
    date = sdk.logs.get(BY_DATE[200]).date
    found = sdk.logs.list(sort="date:1", request_options={"additional_query_parameters": {"q": f"date:[{date} TO *]"}})
    assert [entry.log_id for entry in found.items or ()] == BY_DATE[200:]


def test_checkpoint_paging_brings_everything_after_the_id(sdk: Sdk) -> None:
    found, link = sdk.checkpoint(IDS[0], 100)
    assert found == IDS[1:101]
    assert f"from={IDS[100]}&take=100" in link
    assert sdk.checkpoint(IDS[100], 100)[0] + sdk.checkpoint(IDS[200], 100)[0] == IDS[101:]
    empty, link = sdk.checkpoint(IDS[-1], 100)
    assert empty == []
    assert f"from={IDS[-1]}" in link


def test_one_entry(sdk: Sdk) -> None:
    entry = sdk.logs.get(IDS[7])
    assert entry.log_id == IDS[7]
    assert entry.client_name
    with pytest.raises(NotFoundError):
        sdk.logs.get("900" + "0" * 54)


def test_errors_are_the_ones_the_sdk_knows() -> None:
    with in_background(Tenant(LOG, plan=RatePlan(3, 0.1), clock=lambda: NOW)) as (tenant,):
        sdk = Sdk(tenant)
        with sdk.http:
            sdk.logs.get(IDS[0])
            tenant.tokens.application = Application(scope="read:users")
            with pytest.raises(ForbiddenError):
                sdk.logs.get(IDS[0])
            tenant.tokens.revoke()
            with pytest.raises(UnauthorizedError):
                sdk.logs.get(IDS[0])
            with pytest.raises(TooManyRequestsError):
                sdk.logs.list()
