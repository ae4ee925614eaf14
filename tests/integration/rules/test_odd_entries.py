"""Whatever a log entry holds, its rules run on it or it is said why not, and its bytes stay."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules.login import Logins
from rules.pipeline.pipeline import RulePipeline
from rules.processes.node import Node
from rules.runner import RuleRunner
from shared.event_rules import with_rules
from tests.integration.rules.pipelines import record
from tests.integration.rules.rule_runners import rule, rule_set

_TEXTS = st.sampled_from(
    [r'"\ud83d"', r'"a\u0000b"', '"漢😀"', '""', '"ada@a.test"', r'"__proto__"', '"\x7f"', '"2026-11-29T12:00:00Z"']
)
_SCALARS = st.one_of(_TEXTS, st.sampled_from(["null", "true", "1.0", "-0", "1e400", "12345678901234567890", "NaN"]))


def _objects(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    names = st.one_of(
        _TEXTS, st.sampled_from(['"stats"', '"prompts"', '"loginsCount"', '"riskAssessment"', '"name"', '"country_code"'])
    )
    members = st.lists(st.tuples(names, values).map(": ".join), max_size=3)
    return members.map(lambda all_of: f"{{{','.join(all_of)}}}")


def _arrays(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(values, max_size=3).map(lambda items: f"[{' , '.join(items)}]")


_VALUES = st.recursive(_SCALARS, lambda inner: _objects(inner) | _arrays(inner), max_leaves=8)
_NAMES = (
    "user_name",
    "strategy",
    "connection",
    "ip",
    "details",
    "location_info",
    "organization_id",
    "tenant_name",
    "rules",
    "type",
)
_MEMBERS = st.lists(st.tuples(st.sampled_from([f'"{name}"' for name in _NAMES]), _VALUES).map(":".join), max_size=6)
_USERS = st.sampled_from([r'"auth0|1"', r'"auth0|\ud83d"', '"a/b"', '".."', '"__proto__"'])


def test_whatever_an_entry_holds_its_rules_run_or_it_is_said_why_not(node: Node) -> None:
    rules = rule_set({"a": rule("user.seen = true; context.idToken.of = user.user_id; callback(null, user, context);")})
    pipeline = RulePipeline(rules, RuleRunner(node.command(None)), Logins(rules.rules), timeout=20.0)

    async def said(value: bytes) -> dict[str, Any]:
        result = await pipeline.run(record(value=value), "1")
        assert result is not None
        entry, body = json.loads(value), json.loads(with_rules(value, result.member))
        found: dict[str, Any] = body.pop("rules")
        entry.pop("rules", None)
        assert json.dumps(body) == json.dumps(entry)
        return found

    with asyncio.Runner() as loop:
        loop.run(pipeline.start())

        @settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
        @given(user_id=_USERS, members=_MEMBERS)
        def check(user_id: str, members: list[str]) -> None:
            value = ("{" + " , ".join([*members, f'"user_id": {user_id}']) + "}").encode()
            found = loop.run(said(value))
            (step,) = found["rules"]
            if step["outcome"] == "kept":
                assert found["user"] == {"seen": True}
                assert found["claims"]["id_token"] == {"of": json.loads(user_id)}
            else:
                assert step["error"].startswith("user and context are no JSON: ")
                assert any(number in member for member in members for number in ("1e400", "NaN"))

        try:
            check()
        finally:
            loop.run(pipeline.close())
