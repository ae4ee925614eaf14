"""What goes wrong around the rules of a consumer is said by its name, and keeps no event that the policy does not hold."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from admin.actions.rules.given import GivenLogin
from admin.actions.rules.trial import run_chain
from admin.compose_rules import event_rules
from producer.auth0.management import ManagementApi
from rules.loading.folder import load_folder
from rules.login import Logins, Profiles
from rules.pipeline.broken import usable_rules
from rules.processes.node import Node
from rules.runner import RuleRunner
from rules.tenant.lookup import TenantLookup
from rules.tenant.management import ManagementHost
from rules.tenant.profiles import UserProfiles
from shared.event_rules import RulesFailure
from shared.settings import Role, RulesSettings, load
from shared.words import OnBroken, OnError
from simulator.faults import status
from simulator.tenant import Tenant
from simulator.tokens import Application
from simulator.users import Users
from tests.integration.rules.pipelines import ENTRY, StartPipeline, member, outcome, record
from tests.integration.rules.rule_runners import KEEP, rule, rule_set
from tests.support.listed_log import ListedLog

SECRET = "canary-of-configuration"
APPLICATION = Application(scope="read:users update:users")


@pytest.fixture
async def tenant() -> AsyncIterator[Tenant]:
    users = [{"user_id": "auth0|1", "nickname": "ada", "app_metadata": {"plan": "pro"}}]
    tenant = Tenant(ListedLog(), application=APPLICATION, users=Users(users))
    await tenant.start()
    yield tenant
    await tenant.stop()


@pytest.fixture
async def api(tenant: Tenant) -> AsyncIterator[ManagementApi]:
    api = api_of(tenant)
    yield api
    await api.close()


def api_of(tenant: Tenant) -> ManagementApi:
    return ManagementApi(
        base_url=tenant.url,
        client_id=APPLICATION.client_id,
        client_secret=APPLICATION.client_secret,
        audience=f"{tenant.url}/api/v2/",
    )


async def test_nodejs_that_is_gone_has_crashed_and_what_comes_after_its_return_runs(
    start_pipeline: StartPipeline, node: Node, tmp_path: Path
) -> None:
    link = tmp_path / "node"
    link.symlink_to(node.path)
    runner = RuleRunner(replace(node, path=link).command(None))
    pipeline = await start_pipeline({"a": KEEP}, runner=runner, on_error=OnError.HOLD)
    assert (await outcome(pipeline)).failure is None
    link.unlink()
    os.kill(runner.pids[0], signal.SIGKILL)
    failure = None
    while failure is None:  # until its end is seen
        failure = (await outcome(pipeline)).failure
    assert failure.on_error is OnError.HOLD
    assert failure.reason.startswith("rule 'a' crashed: a rule process ended at its start")
    link.symlink_to(node.path)
    while (await outcome(pipeline)).failure:  # noqa: ASYNC110  as the stage tries again
        await asyncio.sleep(0.1)


async def test_a_module_that_is_removed_while_rules_run_is_named(
    start_pipeline: StartPipeline, node: Node, tmp_path: Path
) -> None:
    folder = tmp_path / "node_modules" / "greeting"
    folder.mkdir(parents=True)
    (folder / "package.json").write_text('{"name": "greeting", "version": "1.0.0", "main": "index.js"}')
    (folder / "index.js").write_text("module.exports = 'hello';")
    late = rule("context.idToken.said = require(['greet', 'ing'].join('')); callback(null, user, context);")
    pipeline = await start_pipeline({"a": late}, modules=tmp_path)
    shutil.rmtree(folder)
    (step,) = (await member(pipeline))["rules"]
    assert step["outcome"] == "failed"
    assert "greeting" in step["error"]


async def test_rules_are_those_of_the_start(start_pipeline: StartPipeline, tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text(rule("user.version = 1; callback(null, user, context);"))
    pipeline = await start_pipeline(usable_rules(load_folder(tmp_path), OnBroken.STOP))
    (tmp_path / "a.js").write_text("this is no rule")
    assert (await member(pipeline))["user"] == {"version": 1}


@pytest.mark.usefixtures("node")
def test_what_a_rule_lacks_is_said_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text(rule("const stripe = require('stripe');\ncallback(configuration.KEY, user, context);"))
    environ = {"RULES_DIR": str(tmp_path), "RULES_FETCH_USER": "false", "WEBHOOK_URL": "http://127.0.0.1:9/"}
    with capture_logs() as lines:
        assert event_rules(load(Role.CONSUME, environ, None)) is not None
    assert [line["reason"].removeprefix(f"{tmp_path}/a.js:").partition(" ")[0] for line in lines] == ["2:", "3:"]


@pytest.mark.usefixtures("node")
def test_a_folder_of_which_nothing_runs_is_said_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text(KEEP)
    (tmp_path / "rules.yaml").write_text("rules: [{name: a, enabled: false}]")
    environ = {"RULES_DIR": str(tmp_path), "RULES_FETCH_USER": "false", "WEBHOOK_URL": "http://127.0.0.1:9/"}
    with capture_logs() as lines:
        assert event_rules(load(Role.CONSUME, environ, None)) is None
    assert [line["event"] for line in lines] == ["no rule of the folder runs: events are delivered without rules"]


async def test_values_of_the_configuration_are_in_nothing_that_is_written(start_pipeline: StartPipeline) -> None:
    print_it = rule("console.log(configuration.KEY); callback(null, user, context);")
    throw_it = rule("throw new Error('no access with ' + configuration.KEY + ' at https://x/?k=' + configuration.KEY);")
    rules = rule_set({"a": print_it, "b": throw_it}, KEY=SECRET)
    with capture_logs() as lines:
        result = await outcome(await start_pipeline(rules, on_error=OnError.DEAD_LETTER))
    assert result.failure == RulesFailure(
        on_error=OnError.DEAD_LETTER, reason="rule 'b' failed: no access with *** at https://x/?k=*** (line 2)"
    )
    assert SECRET not in f"{result.member!r} {lines}"
    assert b"***" in result.member


async def test_a_rule_that_fails_on_every_login_writes_one_line(start_pipeline: StartPipeline) -> None:
    pipeline = await start_pipeline({"a": rule("callback('no');")})
    with capture_logs() as lines:
        for number in range(20):
            await outcome(pipeline, record({**ENTRY, "log_id": str(number), "rules": []}))
    assert [(line["event"], line["log_id"]) for line in lines] == [
        ("a rule failed on an event", "0"),
        ("an event has a member rules of its own; ours comes behind it (said once)", "0"),
    ]


async def test_rules_get_the_user_that_the_tenant_has_and_what_they_wrote_the_next_time(
    start_pipeline: StartPipeline, node: Node, tenant: Tenant, api: ManagementApi
) -> None:
    count = rule(
        "const n = (user.app_metadata.n || 0) + 1; context.idToken.n = n; context.idToken.plan = user.plan;"
        "auth0.users.updateAppMetadata(user.user_id, { n }).then(() => callback(null, user, context), callback);"
    )
    rules, profiles = rule_set({"a": count}), UserProfiles(api)
    runner = RuleRunner(node.command(None), host=ManagementHost(api_of(tenant), base_url=tenant.url, profiles=profiles))
    pipeline = await start_pipeline(rules, runner=runner, logins=Logins(rules.rules, profiles=profiles))
    assert [(await member(pipeline))["claims"]["id_token"] for _ in range(3)] == [{"n": n, "plan": "pro"} for n in (1, 2, 3)]


async def test_a_user_that_auth0_does_not_give_in_time_is_a_failed_chain(
    start_pipeline: StartPipeline, tenant: Tenant, api: ManagementApi
) -> None:
    tenant.faults.add(status(503))
    rules = rule_set({"a": KEEP, "b": KEEP})
    logins = Logins(rules.rules, profiles=UserProfiles(api))
    result = await outcome(await start_pipeline(rules, logins=logins, timeout=1.0, on_error=OnError.DEAD_LETTER))
    assert result.failure is not None
    assert result.failure.reason.startswith("rule 'a' failed: Auth0 did not give the user within 1.0 s: ")
    assert [step["outcome"] for step in json.loads(result.member)["rules"]] == ["failed"]


class BrokenProfiles(Profiles):
    """A mistake of ours."""

    async def of(self, user_id: str, *, within: float) -> Mapping[str, Any] | None:
        raise RuntimeError(f"{user_id} in {within}")


async def test_a_mistake_of_ours_is_logged_with_its_traceback(start_pipeline: StartPipeline) -> None:
    rules = rule_set({"a": KEEP})
    pipeline = await start_pipeline(rules, logins=Logins(rules.rules, profiles=BrokenProfiles()))
    with capture_logs() as lines, pytest.raises(RuntimeError):
        await outcome(pipeline)
    assert [(line["log_level"], line["log_id"], type(line["exc_info"])) for line in lines] == [
        ("error", ENTRY["log_id"], RuntimeError)
    ]


async def test_rules_test_says_what_the_pipeline_says(
    start_pipeline: StartPipeline, node: Node, api: ManagementApi, tenant: Tenant
) -> None:
    rules = rule_set(
        {
            "a": rule("console.log(user.plan); user.nickname = 'A'; context.multifactor = {}; callback(null, user, context);"),
            "b": rule("context.accessToken.roles = context.authorization.roles; callback(new UnauthorizedError('no'));"),
        }
    )
    logins = Logins(rules.rules, tenant=TenantLookup(api), profiles=UserProfiles(api))
    said = await member(await start_pipeline(rules, logins=logins))
    given = GivenLogin(entry=ENTRY, profile=None, over={}, made_up=False)
    trial = await run_chain(RulesSettings(), rules, given, RuleRunner(node.command(None)), api)
    for step in (*said["rules"], *trial.member["rules"]):
        assert step.pop("milliseconds") >= 0
    assert trial.member == said
    assert said["user"] == {"nickname": "A"}
    assert said["rules"][0]["console"] == [{"level": "log", "text": "pro"}]
