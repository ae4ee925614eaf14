"""Pipelines of rules for tests: real rule processes behind the port, and records as the producer writes them."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any

from rules.login import Logins
from rules.pipeline.pipeline import RulePipeline
from rules.processes.node import Node
from rules.rule import RuleSet
from rules.runner import RuleRunner
from shared.event_rules import RulesResult
from shared.record import Record
from tests.integration.rules.rule_runners import rule_set

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


async def outcome(pipeline: RulePipeline, one: Record | None = None) -> RulesResult:
    one = record() if one is None else one
    assert pipeline.looks_at(one)
    result = await pipeline.run(one, dict(one.headers)["log-id"].decode())
    assert result is not None
    return result


async def member(pipeline: RulePipeline, one: Record | None = None) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((await outcome(pipeline, one)).member)
    return found


def pipeline_starter(node: Node, stack: AsyncExitStack) -> StartPipeline:
    async def start(rules: RuleSet | Mapping[str, str], **options: Any) -> RulePipeline:
        found = rules if isinstance(rules, RuleSet) else rule_set(rules)
        given: dict[str, Any] = {"timeout": 5.0, "logins": Logins(found.rules), **options}
        runner = given.pop("runner", None) or RuleRunner(node.command(given.get("modules")), modules=given.pop("modules", None))
        pipeline = RulePipeline(found, runner, **given)
        stack.push_async_callback(pipeline.close)
        await pipeline.start()
        return pipeline

    return start
