"""Runners of rules for tests: real rule processes of real interpreters."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from rules.processes.node import Node
from rules.rule import Rule, RuleSet
from rules.runner import RuleRunner

USER: Mapping[str, Any] = {"user_id": "auth0|1", "email": "a@b.test"}
CONTEXT: Mapping[str, Any] = {"idToken": {}, "accessToken": {}}
#: `function (user, context, callback) { … }` around a body.
KEEP = "function (user, context, callback) { callback(null, user, context); }"

StartRunner = Callable[..., Awaitable[RuleRunner]]


def rule(body: str) -> str:
    """Returns a rule with this body; its parameters are `user`, `context`, `callback`."""
    return f"function (user, context, callback) {{\n{body}\n}}"


def rule_set(sources: Mapping[str, str], **configuration: Any) -> RuleSet:
    rules = tuple(Rule(name=name, path=Path(f"{name}.js"), source=source) for name, source in sources.items())
    return RuleSet(rules=rules, configuration=configuration)


def starter(node: Node, stack: AsyncExitStack) -> StartRunner:
    async def start(sources: Mapping[str, str], *, configuration: Mapping[str, Any] | None = None, **options: Any) -> RuleRunner:
        runner = RuleRunner(node.command(options.get("modules")), **{"timeout": 5.0, **options})
        stack.push_async_callback(runner.close)
        await runner.start(rule_set(sources, **(configuration or {})))
        return runner

    return start
