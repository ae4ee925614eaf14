"""The rules of a consumer behind their port: real rules in real processes, records as the producer writes them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from rules.loading.folder import RuleFolder
from rules.login import Logins
from rules.pipeline.broken import usable_rules
from rules.pipeline.pipeline import RulePipeline
from rules.processes.node import Node
from rules.rule import Rule, RuleSet
from rules.runner import RuleRunner
from shared.errors import ConfigurationError
from shared.event_rules import RulesFailure, RulesResult
from shared.record import Record
from shared.words import OnBroken, OnError
from tests.integration.rules.rule_runners import KEEP, rule, rule_set

ENTRY: Mapping[str, Any] = {
    "log_id": "90020261129120000000000000000000000001223372036854775807",
    "type": "s",
    "date": "2026-11-29T12:00:00.000Z",
    "user_id": "auth0|1",
    "user_name": "ada@a.test",
    "client_name": "App",
}
StartPipeline = Callable[..., Awaitable[RulePipeline]]


def record(entry: Mapping[str, Any] = ENTRY, *, value: bytes | None = None, key: str | None = None, **headers: str) -> Record:
    """Returns the record of an entry, as the producer writes it."""
    log_id = str(entry.get("log_id", "1"))
    said = {"v": "1", "log-id": log_id, "type": str(entry.get("type", "")), "date": str(entry.get("date", "")), "tenant": "t"}
    content = json.dumps(entry).encode() if value is None else value
    of = str(entry.get("user_id") or log_id) if key is None else key
    return Record(7, of.encode(), content, [(name, text.encode()) for name, text in (said | headers).items()], 1_795_953_600.0)


@pytest.fixture
async def start_pipeline(node: Node) -> AsyncIterator[StartPipeline]:
    """Starts pipelines of this test, which end with it."""
    async with AsyncExitStack() as stack:

        async def start(rules: RuleSet | Mapping[str, str], **options: Any) -> RulePipeline:
            found = rules if isinstance(rules, RuleSet) else rule_set(rules)
            runner = RuleRunner(node.command(None), timeout=5.0)
            pipeline = RulePipeline(found, runner, Logins(found.rules), **{"timeout": 5.0, **options})
            stack.push_async_callback(pipeline.close)
            await pipeline.start()
            return pipeline

        yield start


async def outcome(pipeline: RulePipeline, one: Record | None = None) -> RulesResult:
    one = record() if one is None else one
    assert pipeline.looks_at(one)
    result = await pipeline.run(one, dict(one.headers)["log-id"].decode())
    assert result is not None
    return result


async def member(pipeline: RulePipeline, one: Record | None = None) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((await outcome(pipeline, one)).member)
    return found


def changed(rules: RuleSet, **changes: Any) -> RuleSet:
    """Returns them with these changes of every rule."""
    return replace(rules, rules=tuple(replace(one, **changes) for one in rules.rules))


async def test_what_rules_did_is_said_as_the_documentation_has_it(start_pipeline: StartPipeline) -> None:
    pipeline = await start_pipeline(
        {
            "a": rule(
                "console.log('hello', user.email); user.plan = 'free'; delete user.nickname; callback(null, user, context);"
            ),
            "b": rule(
                "context.idToken['https://x/plan'] = user.plan; context.accessToken.n = 1;"
                "context.multifactor = {provider: 'any'}; context.redirect = {url: 'https://x/y'}; callback(null, user, context);"
            ),
        }
    )
    found = await member(pipeline)
    assert [one.pop("milliseconds") >= 0 for one in found["rules"]] == [True, True]
    assert found == {
        "claims": {"id_token": {"https://x/plan": "free"}, "access_token": {"n": 1}},
        "user": {"plan": "free", "nickname": None},
        "decision": {"multifactor": {"provider": "any"}, "redirect": {"url": "https://x/y"}},
        "rules": [
            {"rule": "a", "outcome": "kept", "error": None, "console": [{"level": "log", "text": "hello ada@a.test"}]},
            {"rule": "b", "outcome": "kept", "error": None, "console": []},
        ],
    }


async def test_rules_that_change_nothing_say_so(start_pipeline: StartPipeline) -> None:
    found = await member(await start_pipeline({"a": KEEP}))
    assert (found["claims"], found["user"], found["decision"]) == ({"id_token": {}, "access_token": {}}, {}, None)


async def test_an_event_that_is_denied_is_delivered_with_who_denied_it(start_pipeline: StartPipeline) -> None:
    deny = rule("callback(new UnauthorizedError('not on Sundays'));")
    pipeline = await start_pipeline({"a": KEEP, "b": deny, "c": KEEP}, on_error=OnError.HOLD)
    result = await outcome(pipeline)
    found = json.loads(result.member)
    assert result.failure is None
    assert found["decision"] == {"deny": {"rule": "b", "message": "not on Sundays"}}
    assert [(one["rule"], one["outcome"]) for one in found["rules"]] == [("a", "kept"), ("b", "denied")]


@pytest.mark.parametrize("policy", OnError)
async def test_what_becomes_of_a_failed_event_is_said_for_all_rules(start_pipeline: StartPipeline, policy: OnError) -> None:
    pipeline = await start_pipeline({"a": rule("throw new Error('no');"), "b": KEEP}, on_error=policy)
    result = await outcome(pipeline)
    expected = RulesFailure(on_error=policy, reason="rule 'a' failed: no (line 2)")
    assert result.failure == (None if policy is OnError.DELIVER else expected)
    assert [one["outcome"] for one in json.loads(result.member)["rules"]] == ["failed"]


async def test_the_rule_that_failed_says_more_than_the_setting(start_pipeline: StartPipeline) -> None:
    rules = rule_set({"a": KEEP, "b": rule("callback('no');")})
    first, second = rules.rules
    rules = replace(rules, rules=(replace(first, on_error=OnError.HOLD), replace(second, on_error=OnError.DEAD_LETTER)))
    result = await outcome(await start_pipeline(rules))
    assert result.failure == RulesFailure(on_error=OnError.DEAD_LETTER, reason="rule 'b' failed: no")


@pytest.mark.parametrize(
    ("body", "words"), [("", "took too long"), ("for (;;) {}", "took too long"), ("process.reallyExit(3)", "process")]
)
async def test_a_rule_that_takes_too_long_or_its_process_along_has_failed_too(
    start_pipeline: StartPipeline, body: str, words: str
) -> None:
    pipeline = await start_pipeline({"a": rule(body)}, timeout=0.5, on_error=OnError.HOLD)
    failure = (await outcome(pipeline)).failure
    assert failure is not None
    assert words in failure.reason


async def test_rules_run_on_logins_of_users_unless_it_is_said_otherwise(start_pipeline: StartPipeline) -> None:
    rules = rule_set({"a": KEEP, "b": KEEP})
    first, second = rules.rules
    pipeline = await start_pipeline(replace(rules, rules=(first, replace(second, events=frozenset({"ss", "s"})))))

    async def ran(kind: str) -> list[str]:
        one = record({**ENTRY, "type": kind})
        return [step["rule"] for step in (await member(pipeline, one))["rules"]] if pipeline.looks_at(one) else []

    assert [await ran(kind) for kind in ("s", "ssa", "ss", "seacft", "")] == [["a", "b"], ["a"], ["b"], [], []]


@pytest.mark.parametrize("user_id", [None, "", 7])
async def test_an_event_without_a_user_goes_out_as_it_is(start_pipeline: StartPipeline, user_id: object) -> None:
    pipeline = await start_pipeline({"a": KEEP})
    one = record({**ENTRY, "user_id": user_id}, key="someone")
    assert await pipeline.run(one, "1") is None
    assert not pipeline.looks_at(record({**ENTRY, "user_id": None}))


@pytest.mark.parametrize(
    ("date", "log_id", "runs"),
    [
        ("2026-11-29T12:00:00.000Z", "90020200101000000", True),
        ("2026-11-29T11:59:59.999Z", "90020990101000000", False),
        ("2026-11-29T12:59:59+01:00", "1", False),
        ("Sunday", "90020261129115959000000000000000000001", False),
        ("Sunday", "90020261129120000000000000000000000001", True),
        ("", "1", True),  # published at noon
    ],
)
async def test_events_from_before_since_go_out_as_they_are(
    start_pipeline: StartPipeline, date: str, log_id: str, runs: bool
) -> None:
    since = datetime(2026, 11, 29, 12, tzinfo=UTC)
    pipeline = await start_pipeline(replace(rule_set({"a": KEEP}), since=since))
    one = record({**ENTRY, "date": date, "log_id": log_id})
    assert pipeline.looks_at(one) is runs
    assert (await pipeline.run(one, log_id) is not None) is runs


@pytest.mark.parametrize("value", [b"{]}", b'{"user_id":}', b'{"a":1}{"user_id":"a"}', b'{"a":' * 100_000 + b"}"])
async def test_what_is_no_json_object_has_failed(start_pipeline: StartPipeline, value: bytes) -> None:
    result = await outcome(await start_pipeline({"a": KEEP}, on_error=OnError.HOLD), record(value=value))
    assert result.failure == RulesFailure(on_error=OnError.HOLD, reason="rule 'a' failed: the event is no JSON object")
    assert json.loads(result.member)["rules"][0]["error"] == "the event is no JSON object"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("callback(null, 'ada', context);", "user is no object: 'ada'"),
        ("callback(null, [user], context);", "user is no object"),
        ("callback(null, user, 5);", "context is no object: 5"),
        ("context.idToken = 'x'; callback(null, user, context);", "it left context.idToken as something that is no object"),
        ("user.self = user; callback(null, user, context);", "circular"),
        ("user.much = 'x'.repeat(1e6); callback(null, user, context);", "user and context are larger than 256 kB"),
        ("user.n = 1n; callback(null, user, context);", "BigInt"),
        (r"user.much = '\u0001'.repeat(42000); callback(null, user, context);", None),
    ],
)
async def test_a_result_that_cannot_be_delivered_has_failed(start_pipeline: StartPipeline, body: str, error: str | None) -> None:
    found = await member(await start_pipeline({"a": rule(body)}))
    step = found["rules"][-1]
    if error is None:
        assert step["outcome"] == "kept"
    else:
        assert (step["outcome"], found["user"]) == ("failed", {})
        assert error in step["error"]


async def test_at_the_start_a_rule_that_does_not_compile_stops_it_or_is_left_out(start_pipeline: StartPipeline) -> None:
    sources = {"a": KEEP, "b": "function (user, context, callback) {\n  callback(;\n}"}
    with pytest.raises(ConfigurationError, match=r"^b\.js:2: does not compile: "):
        await start_pipeline(sources)
    pipeline = await start_pipeline(sources, on_broken=OnBroken.SKIP)
    assert [one["rule"] for one in (await member(pipeline))["rules"]] == ["a"]


async def test_the_rule_under_way_is_known(start_pipeline: StartPipeline) -> None:
    slow = rule("setTimeout(() => callback(null, user, context), 1500);")
    pipeline = await start_pipeline({"a": KEEP, "b": slow})
    runs = [asyncio.create_task(outcome(pipeline, record({**ENTRY, "log_id": log_id}))) for log_id in ("1", "2")]
    while {pipeline.under_way("1"), pipeline.under_way("2")} != {"b"}:  # noqa: ASYNC110  it is asked, it tells nothing
        await asyncio.sleep(0.02)
    await asyncio.gather(*runs)
    assert pipeline.under_way("1") is None


def _folder(*rules: Rule) -> RuleFolder:
    return RuleFolder(path=Path("rules"), rule_set=RuleSet(rules=rules), broken=(), ordered_by="names")


def test_a_rule_that_is_not_enabled_is_not_even_loaded() -> None:
    rules = rule_set({"a": KEEP, "b": KEEP}).rules
    usable = usable_rules(_folder(rules[0], replace(rules[1], enabled=False)), OnBroken.STOP)
    assert [one.name for one in usable.rules] == ["a"]
