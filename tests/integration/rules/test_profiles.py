"""The user of an event, from a tenant on the loopback by real HTTP: kept, changed by writes, and what comes instead of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any, Final

import pytest
from structlog.testing import capture_logs

from producer.auth0.management import ManagementApi
from rules.tenant.host import HostCallFailed
from rules.tenant.management import ManagementHost
from rules.tenant.profiles import ProfileUnavailable, UserProfiles
from simulator.faults import HttpFault, short_body, slow, status
from simulator.tenant import Tenant
from simulator.tokens import Application
from simulator.users import Users
from tests.integration.workers import until
from tests.support.listed_log import ListedLog

ADA: Final = "auth0|ada"
APPLICATION: Final = Application(scope="read:users update:users")
ODD_IDS: Final = ("auth0|a/b", "auth0|a%2Fb", "oidc|x|y", "auth0|..", "auth0|ü 漢 🎉", "auth0|a?b#c", "auth0|a+b&c", "a" * 1024)
NO_IDS: Final = ("", ".", "..", "...", "auth0|\ud83d", "x" * 1025)


@dataclass(slots=True)
class ProfileClock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass(slots=True)
class ProfileSetup:
    tenant: Tenant
    api: ManagementApi
    profiles: UserProfiles
    host: ManagementHost
    clock: ProfileClock

    @property
    def gets(self) -> int:
        return sum(request.method == "GET" for request in self.tenant.requests)

    async def of(self, user_id: str = ADA, within: float = 20.0) -> dict[str, Any] | None:
        return await self.profiles.of(user_id, within=within)

    async def write(self, data: dict[str, Any], user_id: str = ADA) -> None:
        await self.host.call("updateAppMetadata", [user_id, data], 20.0)


@pytest.fixture
async def setup() -> AsyncIterator[ProfileSetup]:
    users = [{"user_id": user_id, "app_metadata": {"plan": "pro"}} for user_id in (ADA, *ODD_IDS)]
    tenant = Tenant(ListedLog(), application=APPLICATION, users=Users(users))
    await tenant.start()
    api = ManagementApi(
        base_url=tenant.url,
        client_id=APPLICATION.client_id,
        client_secret=APPLICATION.client_secret,
        audience=f"{tenant.url}/api/v2/",
        deadline=5,
    )
    clock = ProfileClock()
    profiles = UserProfiles(api, kept=60, most=3, clock=clock)
    yield ProfileSetup(tenant, api, profiles, ManagementHost(api, base_url=tenant.url, profiles=profiles), clock)
    await api.close()
    await tenant.stop()


async def test_a_user_is_fetched_once_a_minute(setup: ProfileSetup) -> None:
    for moment, gets in ((1000.0, 1), (1059.9, 1), (1060.0, 2)):
        setup.clock.now = moment
        assert await setup.of() == {"user_id": ADA, "app_metadata": {"plan": "pro"}}
        assert setup.gets == gets


async def test_a_chain_may_change_what_it_gets(setup: ProfileSetup) -> None:
    found = await setup.of()
    assert found
    found["app_metadata"]["plan"] = "free"
    assert await setup.of() == setup.tenant.users.by_id[ADA]


async def test_many_chains_of_one_user_fetch_it_once(setup: ProfileSetup) -> None:
    assert len({str(found) for found in await asyncio.gather(*(setup.of() for _ in range(50)))}) == 1
    assert setup.gets == 1


@pytest.mark.parametrize("user_id", ODD_IDS)
async def test_any_id_is_asked_for_as_it_is(setup: ProfileSetup, user_id: str) -> None:
    found = await setup.of(user_id)
    assert found
    assert found["user_id"] == user_id


@pytest.mark.parametrize("user_id", NO_IDS, ids=lambda user_id: ascii(user_id)[:20])
async def test_what_is_no_id_is_not_asked_for(setup: ProfileSetup, user_id: str) -> None:
    assert await setup.of(user_id) is None
    assert setup.tenant.requests == []


async def test_a_user_that_the_tenant_does_not_know_is_none(setup: ProfileSetup) -> None:
    assert await setup.of("auth0|gone") is await setup.of("auth0|gone") is None
    assert setup.gets == 1


async def test_the_users_kept_are_bounded(setup: ProfileSetup) -> None:
    for user_id in (*ODD_IDS[:4], *ODD_IDS[1:4]):
        await setup.of(user_id)
    assert setup.gets == 4
    await setup.of(ODD_IDS[0])
    assert setup.gets == 5


async def test_what_a_rule_wrote_is_in_the_user_of_the_next_event(setup: ProfileSetup) -> None:
    await setup.of()
    await setup.write({"seen": 1, "plan": None})
    found = await setup.of()
    assert found is not None
    assert found["app_metadata"] == {"seen": 1}
    assert found == setup.tenant.users.by_id[ADA]
    assert setup.gets == 1


async def test_metadata_that_a_rule_removed_is_gone(setup: ProfileSetup) -> None:
    """To Auth0 an empty object means: all of it."""
    await setup.of()
    await setup.write({})
    assert await setup.of() == setup.tenant.users.by_id[ADA]
    assert "app_metadata" not in setup.tenant.users.by_id[ADA]
    assert setup.gets == 1


async def test_what_a_rule_wrote_during_a_fetch_is_in_its_result(setup: ProfileSetup) -> None:
    await setup.of(ODD_IDS[0])  # until the first response one request goes at a time
    old = setup.tenant.users.by_id[ADA].copy()
    late = HttpFault(name="late", delay=0.3, change=lambda response: type(response).json(200, old))
    setup.tenant.faults.in_order(late)
    fetch = asyncio.ensure_future(setup.of())
    await until(lambda: setup.gets == 2)
    await setup.write({"seen": 1})
    for found in (await fetch, await setup.of()):
        assert found is not None
        assert found["app_metadata"] == {"plan": "pro", "seen": 1}
    assert setup.gets == 2


async def test_writes_to_one_user_at_once_are_all_in_it(setup: ProfileSetup) -> None:
    await setup.of()
    setup.tenant.faults.in_order(slow(0.2))
    await asyncio.gather(*(setup.write({f"n{n}": n}) for n in range(5)))
    assert await setup.of() == setup.tenant.users.by_id[ADA]
    assert setup.gets == 1


async def test_after_a_write_of_unknown_end_the_tenant_is_asked(setup: ProfileSetup) -> None:
    """Auth0 had written it, but the response did not arrive."""
    await setup.of()
    setup.tenant.faults.add(short_body())
    with pytest.raises(HostCallFailed):
        await setup.host.call("updateAppMetadata", [ADA, {"seen": 1}], 0.3)
    setup.tenant.faults.clear()
    found = await setup.of()
    assert found is not None
    assert found["app_metadata"] == {"plan": "pro", "seen": 1}


FAULTS = {
    "429": status(429, headers=(("Retry-After", "1"),)),
    "500": status(500),
    "503": status(503),
    "broken off": short_body(),
    "HTML": status(200, body=b"<html>Sign in to the hotel's network</html>"),
    "no user": status(200, body=b'{"status":"ok"}'),
    "a list": status(200, body=b"[]"),
    "a redirect": status(302, headers=(("Location", "http://127.0.0.1:9/users"),), body=b"{}"),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_what_passes_by_itself_is_tried_again(setup: ProfileSetup, fault: HttpFault) -> None:
    setup.tenant.faults.in_order(fault, None)
    assert await setup.of()


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_what_does_not_pass_in_time_is_an_error_that_says_what_it_was(setup: ProfileSetup, fault: HttpFault) -> None:
    setup.tenant.faults.add(fault)
    with pytest.raises(ProfileUnavailable, match=r"within .* s: .*/users/…[ :]"):
        await setup.of(within=1)
    setup.tenant.faults.clear()
    assert await setup.of()


async def test_a_tenant_that_hangs_takes_the_time_of_the_chain_and_no_more(setup: ProfileSetup) -> None:
    setup.tenant.faults.add(slow(3600))
    with pytest.raises(ProfileUnavailable):
        await setup.of(within=0.2)
    setup.tenant.faults.clear()
    assert await setup.of()


@pytest.mark.parametrize("change", [{"scope": "read:logs"}, {"client_secret": "rotated"}, {"authorised": False}], ids=str)
async def test_an_application_that_is_refused_is_told_once_and_asked_again_later(
    setup: ProfileSetup, change: dict[str, Any]
) -> None:
    setup.tenant.tokens.application = replace(APPLICATION, **change)
    with capture_logs() as lines:
        for number in range(3):
            assert await setup.of(f"auth0|{number}") is None
    assert [line["log_level"] for line in lines if "profiles" in line["event"]] == ["error"]
    asked = len(setup.tenant.requests)
    setup.tenant.tokens.application = APPLICATION
    assert await setup.of() is None
    assert len(setup.tenant.requests) == asked
    setup.clock.now += 300
    setup.tenant.tokens.revoke()
    assert await setup.of()


async def test_a_hashed_user_is_neither_fetched_nor_written_and_one_line_says_so(setup: ProfileSetup) -> None:
    with capture_logs() as lines:
        for letter in "ab":
            assert await setup.of(letter * 64) is None
    assert len(lines) == 1
    with pytest.raises(HostCallFailed, match="PII_MODE"):
        await setup.write({"seen": 1}, "a" * 64)
    assert setup.tenant.requests == []
