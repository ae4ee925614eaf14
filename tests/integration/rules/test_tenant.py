"""What only the tenant knows: asked for where a rule reads it, kept for a while, and never in a rule's way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from producer.auth0.management import ManagementApi
from rules.context import TenantFacts
from rules.tenant.lookup import TenantLookup, WantedFacts, wanted
from tests.support.tenant_directory import TenantDirectory

EVERYTHING = "read:users read:roles read:clients read:connections read:organizations"
ENTRY = {"user_id": "auth0|a/b", "client_id": "c1", "connection_id": "con_1", "organization_id": "org_1"}
ALL = WantedFacts(roles=True, client=True, connection=True, organization=True)


class LookupClock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def directory() -> AsyncIterator[TenantDirectory]:
    objects: dict[str, Any] = {
        "/users/auth0|a/b": {"user_id": "auth0|a/b", "app_metadata": {"plan": "gold"}},
        "/users/auth0|a/b/roles": [{"id": "rol_1", "name": "admin"}, {"id": "rol_2"}],
        "/clients/c1": {"client_id": "c1", "client_metadata": {"app": "shop"}},
        "/connections/con_1": {"id": "con_1", "options": {"tenant_domain": "acme.example"}},
        "/organizations/org_1": {"id": "org_1", "metadata": {"plan": "gold"}},
    }
    directory = TenantDirectory(objects, scope=EVERYTHING)
    await directory.start()
    yield directory
    await directory.stop()


@pytest.fixture
def clock() -> LookupClock:
    return LookupClock()


@pytest.fixture
async def tenant(directory: TenantDirectory, clock: LookupClock) -> AsyncIterator[TenantLookup]:
    api = ManagementApi(
        base_url=directory.url, client_id="client", client_secret="secret", audience=f"{directory.url}/api/v2/", deadline=5
    )
    yield TenantLookup(api, kept=300, most=3, clock=clock)
    await api.close()


async def test_what_a_chain_reads_is_asked_for_and_nothing_else(tenant: TenantLookup, directory: TenantDirectory) -> None:
    assert await tenant.facts(ENTRY, WantedFacts()) == TenantFacts()
    assert directory.asked == []
    facts = await tenant.facts(ENTRY, ALL)
    assert facts.roles == ["admin"]
    assert facts.client == directory.objects["/clients/c1"]
    assert facts.connection == directory.objects["/connections/con_1"]
    assert facts.organization == directory.objects["/organizations/org_1"]
    assert sorted(directory.asked) == [
        "GET /clients/c1",
        "GET /connections/con_1",
        "GET /organizations/org_1",
        "GET /users/auth0%7Ca%2Fb/roles",
    ]
    assert directory.tokens_asked == 1


async def test_a_hundred_logins_at_once_ask_once(tenant: TenantLookup, directory: TenantDirectory, clock: LookupClock) -> None:
    await asyncio.gather(*(tenant.facts(ENTRY, WantedFacts(client=True)) for _ in range(100)))
    clock.now = 299
    await tenant.facts(ENTRY, WantedFacts(client=True))
    assert len(directory.asked) == 1
    clock.now = 300
    await tenant.facts(ENTRY, WantedFacts(client=True))
    assert len(directory.asked) == 2


async def test_a_login_that_is_cancelled_does_not_take_the_response_from_another(tenant: TenantLookup) -> None:
    first = asyncio.ensure_future(tenant.facts(ENTRY, WantedFacts(client=True)))
    second = asyncio.ensure_future(tenant.facts(ENTRY, WantedFacts(client=True)))
    await asyncio.sleep(0)
    first.cancel()
    facts = await second
    assert facts.client


async def test_a_scope_that_is_missing_is_named_once_and_not_asked_for_again(
    tenant: TenantLookup, directory: TenantDirectory
) -> None:
    directory.scope = "read:clients"
    with capture_logs() as lines:
        for number in range(3):
            facts = await tenant.facts({**ENTRY, "user_id": f"auth0|{number}"}, ALL)
            assert facts == TenantFacts(client=directory.objects["/clients/c1"])
    warned = sorted(line["scope"] for line in lines if line["log_level"] == "warning")
    assert warned == ["read:connections", "read:organizations", "read:roles"]
    assert len(directory.asked) == 4


async def test_a_scope_that_was_granted_since_is_noticed(
    tenant: TenantLookup, directory: TenantDirectory, clock: LookupClock
) -> None:
    directory.scope = ""
    assert await tenant.facts(ENTRY, WantedFacts(client=True)) == TenantFacts()
    directory.scope = EVERYTHING
    assert await tenant.facts(ENTRY, WantedFacts(client=True)) == TenantFacts()
    clock.now = 300
    assert (await tenant.facts(ENTRY, WantedFacts(client=True))).client


@pytest.mark.parametrize("status", [429, 500])
async def test_a_tenant_that_does_not_respond_is_asked_again_a_little_later(
    tenant: TenantLookup, directory: TenantDirectory, clock: LookupClock, status: int
) -> None:
    directory.broken = status
    assert await tenant.facts(ENTRY, WantedFacts(client=True)) == TenantFacts()
    directory.broken = None
    assert await tenant.facts(ENTRY, WantedFacts(client=True)) == TenantFacts()
    clock.now = 10
    assert (await tenant.facts(ENTRY, WantedFacts(client=True))).client
    assert len(directory.asked) == 2


async def test_the_cache_is_bounded(tenant: TenantLookup, directory: TenantDirectory) -> None:
    for number in (*range(10), 9, 8, 7):
        await tenant.facts({"client_id": f"x{number}"}, WantedFacts(client=True))
    assert len(directory.asked) == 10
    await tenant.facts({"client_id": "x6"}, WantedFacts(client=True))
    assert len(directory.asked) == 11


async def test_a_wrong_secret_is_an_empty_value_too(directory: TenantDirectory) -> None:
    api = ManagementApi(base_url=directory.url, client_id="client", client_secret="x", audience="x", deadline=5)
    assert await TenantLookup(api).facts(ENTRY, ALL) == TenantFacts()
    await api.close()


@pytest.mark.parametrize(
    ("reads", "want"),
    [
        ((), WantedFacts()),
        (("request.ip", "stats.loginsCount"), WantedFacts()),
        (("authorization.roles",), WantedFacts(roles=True)),
        (("authorization",), WantedFacts(roles=True)),
        (("organization.id", "organization.name"), WantedFacts()),
        (("organization.metadata.plan",), WantedFacts(organization=True)),
        (("organization",), WantedFacts(organization=True)),
        (("client_metadata.app", "connectionMetadata"), WantedFacts(client=True, connection=True)),
        (("",), ALL),
        (("*",), ALL),
    ],
)
def test_what_has_to_be_asked_for_follows_from_what_the_rules_read(reads: tuple[str, ...], want: WantedFacts) -> None:
    assert wanted(reads) == want


@given(st.lists(st.text(max_size=8)))
def test_paths_of_any_kind_say_what_they_want(reads: list[str]) -> None:
    assert isinstance(wanted(reads), WantedFacts)
