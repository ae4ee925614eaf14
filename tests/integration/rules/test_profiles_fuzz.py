"""Whatever Auth0, or what stands in front of it, says of a user: a user comes of it, or none, or an error; and nothing leaves."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from producer.auth0.management import ManagementApi
from rules.context import user_and_context
from rules.tenant.kept_users import KeptUser, KeptUsers
from rules.tenant.lookup import TenantLookup, WantedFacts
from rules.tenant.profiles import ProfileUnavailable, UserProfiles
from simulator.faults import HttpFault, status
from simulator.http import Exchange, Server
from simulator.tenant import Tenant
from simulator.tokens import Application
from simulator.users import Users
from simulator.wire import HttpRequest, HttpResponse
from tests.integration.test_auth0_fuzz import responses
from tests.integration.webhook.servers import Play, raw_server
from tests.support import faults, faults_floods, faults_malformed
from tests.support.listed_log import ListedLog

ADA = "auth0|ada"
ALL = WantedFacts(roles=True, client=True, connection=True, organization=True)
IDS = {"user_id": ADA, "client_id": "c", "connection_id": "con", "organization_id": "org"}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
users = st.fixed_dictionaries(
    {"user_id": json_values}, optional=dict.fromkeys(("app_metadata", "user_metadata", "identities", "email"), json_values)
)


def _api(url: str) -> ManagementApi:
    return ManagementApi(base_url=url, client_id="sim-client", client_secret="sim-secret", audience=f"{url}/api/v2/", deadline=1)


def _after_a_token(response: bytes) -> Play:
    """The token is a usable one; every other response is this one."""
    token = b'{"access_token":"abc","expires_in":3600}'
    granted = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(token), token)

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(granted if head.startswith(b"POST") else response)
        await writer.drain()
        writer.close()

    return play


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(responses)
def test_no_response_makes_anything_but_a_user_or_none_or_an_error(response: bytes) -> None:
    async def play() -> None:
        async with raw_server(_after_a_token(response)) as url:
            api = _api(url)
            try:
                found = await UserProfiles(api).of(ADA, within=0.1)
            except ProfileUnavailable as error:
                found, said = None, str(error)
            else:
                said = ""
            assert found is None or isinstance(found["user_id"], str)
            assert "\n" not in said
            await asyncio.wait_for(TenantLookup(api).facts(IDS, ALL), 60)
            await api.close()

    asyncio.run(play())


@settings(max_examples=30)
@given(users)
def test_a_user_of_any_shape_makes_a_user_for_rules(user: dict[str, Any]) -> None:
    async def play() -> None:
        tenant = Tenant(ListedLog(), application=Application(scope="read:users"))
        tenant.users.by_id[ADA] = user
        await tenant.start()
        api = _api(tenant.url)
        try:
            found = await UserProfiles(api).of(ADA, within=0.2)
        except ProfileUnavailable:
            assert not isinstance(user["user_id"], str)
        else:
            assert found == user
            assert isinstance(user_and_context({"type": "s"}, found)[0], dict)
        await api.close()
        await tenant.stop()

    asyncio.run(play())


FAULTS = {
    "hang": faults.hang_before_headers(),
    "hang after the head": faults.hang_after_headers(),
    "drip": faults_floods.drip_body(0.01),
    "huge": faults_floods.huge_body(),
    "a bomb": faults_floods.gzip_bomb(),
    "garbage": faults_malformed.garbage(),
    "no head": faults_malformed.no_head(),
    "cut": faults_malformed.cut_chunk(),
    "deep": status(200, body=b'{"user_id":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "long number": status(200, body=b'{"user_id":"x","n":' + b"9" * 10_000 + b"}"),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_what_is_no_usable_response_is_an_error_in_time_and_nothing_stays_of_it(fault: HttpFault) -> None:
    tenant = Tenant(ListedLog(), application=Application(scope="read:users"), users=Users([{"user_id": ADA}]))
    await tenant.start()
    api = _api(tenant.url)
    profiles = UserProfiles(api)
    tenant.faults.add(fault)
    try:
        async with asyncio.timeout(20):
            with pytest.raises(ProfileUnavailable):
                await profiles.of(ADA, within=0.5)
            tenant.faults.clear()
            assert await profiles.of(ADA, within=15) == {"user_id": ADA}
    finally:
        await api.close()
        await tenant.stop()


async def test_a_user_of_any_depth_is_one_or_an_error() -> None:
    tenant = Tenant(ListedLog(), application=Application(scope="read:users"))
    await tenant.start()
    api = _api(tenant.url)
    for depth in range(700, 1010, 10):
        nested = b"[" * depth + b"]" * depth
        tenant.faults.in_order(status(200, body=b'{"user_id":"auth0|ada","app_metadata":{"a":' + nested + b"}}"), None)
        with suppress(ProfileUnavailable):
            await UserProfiles(api).of(ADA, within=2)
    await api.close()
    await tenant.stop()


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed_so_that_the_token_stays_here(code: int) -> None:
    got: list[HttpRequest] = []

    def respond(request: HttpRequest, exchange: Exchange) -> None:
        got.append(request)
        exchange.respond(HttpResponse.json(200, {"user_id": ADA}))

    elsewhere, tenant = Server(respond), Tenant(ListedLog(), application=Application(scope="read:users"))
    await elsewhere.start()
    await tenant.start()
    tenant.faults.add(status(code, headers=(("Location", f"{elsewhere.url}/api/v2/users/x"),), body=b'{"user_id":"auth0|ada"}'))
    api = _api(tenant.url)
    with pytest.raises(ProfileUnavailable):
        await UserProfiles(api).of(ADA, within=0.3)
    assert got == []
    await api.close()
    await tenant.stop()
    await elsewhere.stop()


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["keep", "get", "forget"]), st.integers(0, 5), st.none() | st.binary(max_size=30), st.floats(-50, 50)
        ),
        max_size=60,
    )
)
def test_what_is_kept_is_the_last_of_each_user_within_its_time_and_the_bounds(
    steps: list[tuple[str, int, bytes | None, float]],
) -> None:
    """Also where the clock jumps."""
    kept, model, now = KeptUsers(most=3, most_bytes=60), {}, 0.0
    for what, number, body, jump in steps:
        user_id, now = str(number), now + jump
        match what:
            case "keep":
                model[user_id] = KeptUser(now + 20, body)
                kept.keep(user_id, model[user_id])
            case "forget":
                model.pop(user_id, None)
                kept.forget(user_id)
            case _:
                found = kept.get(user_id, now)
                assert found is None or (found == model[user_id] and now < found.until)
        assert len(kept._users) <= 3
        assert kept._bytes == sum(len(user.body or b"") for user in kept._users.values()) <= 60
