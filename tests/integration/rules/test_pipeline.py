"""The rules of a consumer behind their port: real rules in real processes, records as the producer writes them."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from rules.loading.folder import RuleFolder
from rules.pipeline.broken import usable_rules
from rules.rule import Rule, RuleSet
from shared.errors import ConfigurationError
from shared.event_rules import RulesFailure
from shared.log_types import table
from shared.words import OnBroken, OnError
from tests.integration.rules.pipelines import ENTRY, StartPipeline, member, outcome, record
from tests.integration.rules.rule_runners import KEEP, rule, rule_set


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


async def test_an_event_without_a_user_goes_out_as_it_is(start_pipeline: StartPipeline) -> None:
    pipeline = await start_pipeline({"a": KEEP})
    for user_id in (None, "", 7):
        assert await pipeline.run(record({**ENTRY, "user_id": user_id}, key="someone"), "1") is None


async def test_what_is_no_json_object_has_failed(start_pipeline: StartPipeline) -> None:
    pipeline = await start_pipeline({"a": KEEP}, on_error=OnError.HOLD)
    for value in (b"{]}", b'{"user_id":}', b'{"a":1}{"user_id":"a"}', b'{"a":' * 100_000 + b"}", b'{"user_id": "a"'):
        result = await outcome(pipeline, record(value=value))
        assert result.failure == RulesFailure(on_error=OnError.HOLD, reason="rule 'a' failed: the event is no JSON object")
        assert json.loads(result.member)["rules"][0]["error"] == "the event is no JSON object"


#: What is wrong with the result of a rule, and what it then says.
ODD_RESULTS = {
    "callback(null, 'ada', context);": "user is no object: 'ada'",
    "callback(null, [user], context);": "user is no object",
    "callback(null, user, 5);": "context is no object: 5",
    "context.idToken = 'x'; callback(null, user, context);": "it left context.idToken as something that is no object",
    "user.self = user; callback(null, user, context);": "circular",
    "user.much = 'x'.repeat(1e6); callback(null, user, context);": "user and context are larger than 256 kB",
    "user.much = '漢'.repeat(60000); callback(null, user, context);": "its result is larger than 256 kB",
    "user.n = 1n; callback(null, user, context);": "BigInt",
}


async def test_a_result_that_cannot_be_delivered_has_failed(start_pipeline: StartPipeline) -> None:
    """Each rule on a type of its own."""
    types = dict(zip(ODD_RESULTS, sorted(table()), strict=False))
    rules = rule_set({types[body]: rule(body) for body in ODD_RESULTS})
    rules = replace(rules, rules=tuple(replace(one, events=frozenset({one.name})) for one in rules.rules))
    pipeline = await start_pipeline(rules)
    for body, error in ODD_RESULTS.items():
        found = await member(pipeline, record({**ENTRY, "type": types[body]}))
        (step,) = found["rules"]
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
