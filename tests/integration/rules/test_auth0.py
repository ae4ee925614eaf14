"""The global `auth0` of rules, against a tenant on the loopback by real HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest

from producer.auth0.management import ManagementApi
from rules.outcome import ChainRun, OutgoingCall, RuleOutcome
from rules.tenant.host import HostCallFailed
from rules.tenant.management import SCOPES, ManagementHost
from simulator.faults import HttpFault, short_body, slow, status
from simulator.tenant import Tenant
from simulator.tokens import Application
from simulator.users import Users
from tests.integration.rules.rule_runners import CONTEXT, StartRunner, rule
from tests.support.listed_log import ListedLog

ADA: Final = "auth0|ada/1"
APPLICATION: Final = Application(scope="read:logs read:users update:users")


@pytest.fixture
async def tenant() -> AsyncIterator[Tenant]:
    user = {"user_id": ADA, "app_metadata": {"plan": "pro", "old": 1}}
    tenant = Tenant(ListedLog(), application=APPLICATION, users=Users([user]))
    await tenant.start()
    yield tenant
    await tenant.stop()


@pytest.fixture
async def host(tenant: Tenant) -> AsyncIterator[ManagementHost]:
    host = _host(tenant)
    yield host
    await host.close()


def _host(tenant: Tenant, secret: str = APPLICATION.client_secret, deadline: float = 10.0) -> ManagementHost:
    api = ManagementApi(
        base_url=tenant.url,
        client_id=APPLICATION.client_id,
        client_secret=secret,
        audience=f"{tenant.url}/api/v2/",
        scope=SCOPES,
        deadline=deadline,
    )
    return ManagementHost(api, base_url=tenant.url)


async def _run(start: StartRunner, host: ManagementHost, body: str, **options: Any) -> ChainRun:
    runner = await start({"rule": rule(body)}, host=host, **options)
    return await runner.run(["rule"], {"user_id": ADA}, CONTEXT, event="1")


_SAVED = "(saved) => { context.saved = saved.app_metadata || saved.user_metadata; callback(null, user, context); }"
WAYS = {
    "promise": f"auth0.users.updateAppMetadata(user.user_id, {{ seen: 1, old: null }}).then({_SAVED}, callback)",
    "callback": (
        "auth0.users.updateAppMetadata(user.user_id, { seen: 1, old: null }, (error, saved) => "
        "{ context.saved = saved.app_metadata; callback(error, user, context); })"
    ),
    "by an object": f"auth0.users.updateAppMetadata({{ id: user.user_id }}, {{ seen: 1, old: null }}).then({_SAVED}, callback)",
}


async def test_metadata_is_written_by_promise_and_by_callback(start: StartRunner, tenant: Tenant, host: ManagementHost) -> None:
    runner = await start({name: rule(body) for name, body in WAYS.items()}, host=host)
    for name in WAYS:
        tenant.users.by_id[ADA]["app_metadata"] = {"plan": "pro", "old": 1}
        run = await runner.run([name], {"user_id": ADA}, CONTEXT, event=name)
        assert (run.outcome, run.context["saved"]) == (RuleOutcome.KEPT, {"plan": "pro", "seen": 1})
        assert tenant.users.by_id[ADA]["app_metadata"] == {"plan": "pro", "seen": 1}
        url = f"{tenant.url}/api/v2/users/auth0%7Cada%2F1"
        assert run.steps[0].calls == (OutgoingCall(method="PATCH", url=url, status=200),)


async def test_a_write_that_is_not_waited_for_is_made(start: StartRunner, tenant: Tenant, host: ManagementHost) -> None:
    tenant.faults.in_order(slow(0.2))
    run = await _run(start, host, "callback(); auth0.users.updateUserMetadata(user.user_id, { color: 'red' })")
    assert (run.outcome, run.steps[0].error) == (RuleOutcome.KEPT, None)
    assert tenant.users.by_id[ADA]["user_metadata"] == {"color": "red"}


async def test_the_token_of_rules_has_their_scopes_alone(start: StartRunner, tenant: Tenant, host: ManagementHost) -> None:
    body = f"""
        const ask = (path) => fetch(auth0.baseUrl + path, {{ headers: {{ Authorization: 'Bearer ' + auth0.accessToken }} }});
        Promise.all([ask('/users/' + encodeURIComponent(user.user_id)), ask('/logs')]).then(([one, other]) => {{
          context.found = [one.status, other.status, auth0.domain === new URL('{tenant.url}').host];
          callback(null, user, context);
        }}, callback);
    """
    run = await _run(start, host, body)
    assert run.context["found"] == [200, 403, True]


async def test_a_tenant_that_grants_no_part_of_the_scopes_gives_what_the_application_has(
    start: StartRunner, tenant: Tenant, host: ManagementHost
) -> None:
    tenant.tokens.application = Application(scope=APPLICATION.scope, grants_parts=False)
    run = await _run(start, host, WAYS["promise"])
    assert run.outcome is RuleOutcome.KEPT


FAULTS = {
    "429": status(429, headers=(("Retry-After", "1"),)),
    "500": status(500),
    "503": status(503),
    "broken off": short_body(),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_what_passes_by_itself_is_tried_again(tenant: Tenant, host: ManagementHost, fault: HttpFault) -> None:
    tenant.faults.in_order(fault, None)
    saved = await host.call("updateAppMetadata", [ADA, {"seen": 1}], 20.0)
    assert saved["app_metadata"]["seen"] == 1


async def test_it_is_tried_for_as_long_as_the_chain_has_time(start: StartRunner, tenant: Tenant, host: ManagementHost) -> None:
    tenant.faults.add(status(500))
    run = await _run(start, host, WAYS["promise"], timeout=1.0)
    assert run.outcome in (RuleOutcome.FAILED, RuleOutcome.TIMED_OUT)
    assert tenant.count(f"/api/v2/users/{ADA}") > 1


async def test_a_token_that_expired_early_is_renewed_once(tenant: Tenant, host: ManagementHost) -> None:
    await host.call("updateAppMetadata", [ADA, {"seen": 1}], 20.0)
    tenant.tokens.revoke()
    saved = await host.call("updateAppMetadata", [ADA, {"seen": 2}], 20.0)
    assert saved["app_metadata"]["seen"] == 2
    assert tenant.count("/oauth/token") == 2


async def test_many_chains_want_one_token(tenant: Tenant, host: ManagementHost) -> None:
    await asyncio.gather(*(host.call("updateAppMetadata", [ADA, {f"n{n}": n}], 20.0) for n in range(20)))
    assert tenant.count("/oauth/token") == 1


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["auth0|unknown", {}], r"returned 404 \(The user does not exist.\)"),
        ([ADA, {}], ""),
        ([ADA, {"a": 1}, 2], "needs a user's id and an object"),
        ([{}, {}], "needs a user's id and an object"),
        (["..", {}], "needs a user's id and an object"),
        ([ADA, None], "needs a user's id and an object"),
    ],
)
async def test_what_cannot_be_written_is_an_error_that_says_why(host: ManagementHost, args: list[Any], says: str) -> None:
    if not says:
        assert (await host.call("updateAppMetadata", args, 20.0))["user_id"] == ADA
        return
    with pytest.raises(HostCallFailed, match=says):
        await host.call("updateAppMetadata", args, 20.0)


async def test_a_missing_scope_is_named(tenant: Tenant, host: ManagementHost) -> None:
    tenant.tokens.application = Application(scope="read:logs read:users")
    with pytest.raises(HostCallFailed, match="needs the scope update:users") as raised:
        await host.call("updateAppMetadata", [ADA, {"a": 1}], 20.0)
    assert raised.value.status == 403


async def test_without_a_token_rules_run_and_only_calls_fail(start: StartRunner, tenant: Tenant) -> None:
    host = _host(tenant, secret="wrong")
    try:
        body = """
            if (auth0.accessToken) throw new Error('a token');
            auth0.users.updateAppMetadata(user.user_id, { a: 1 }).catch(callback);
        """
        run = await _run(start, host, body)
        assert run.outcome is RuleOutcome.FAILED
        assert "AUTH0_CLIENT_ID or AUTH0_CLIENT_SECRET is wrong" in (run.steps[0].error or "")
    finally:
        await host.close()


async def test_a_token_that_does_not_come_leaves_chains_most_of_their_time_and_is_asked_for_once(
    start: StartRunner, tenant: Tenant
) -> None:
    tenant.token_faults.sometimes(1.0, slow(600.0))
    host = _host(tenant, deadline=600.0)
    try:
        async with asyncio.timeout(60):
            runner = await start(
                {"free": rule("context.token = typeof auth0.accessToken; callback(null, user, context)")}, host=host
            )
            runs = await asyncio.gather(*(runner.run(["free"], {}, CONTEXT, event=str(n)) for n in range(3)))
            runs.append(await runner.run(["free"], {}, CONTEXT, event="3"))
        assert [run.context["token"] for run in runs] == ["undefined"] * 4
        assert tenant.count("/oauth/token") == 1
    finally:
        await host.close()


async def test_a_method_that_rules_do_not_have_says_what_to_use(start: StartRunner, host: ManagementHost) -> None:
    runner = await start(
        {"get": rule("auth0.users.get({ id: user.user_id }, callback)"), "roles": rule("auth0.getRoles()")}, host=host
    )
    for name, method in (("get", "auth0.users.get"), ("roles", "auth0.getRoles")):
        run = await runner.run([name], {"user_id": ADA}, CONTEXT, event=name)
        error = run.steps[0].error or ""
        assert error.startswith(f"{method} does not exist")
        assert "require('auth0@2') with auth0.accessToken" in error


async def test_in_a_dry_run_nothing_is_written(start: StartRunner, tenant: Tenant, host: ManagementHost) -> None:
    run = await _run(
        start, host, f"auth0.users.updateAppMetadata(user.user_id, {{ a: 1 }}).then({_SAVED}, callback)", dry_run=True
    )
    assert run.outcome is RuleOutcome.KEPT
    assert [(call.method, call.status) for call in run.steps[0].calls] == [("PATCH", 200)]
    assert tenant.requests == []
