"""A response that its rule does not read holds nothing: published rules call back when it begins, and never look at it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from rules.outcome import OutgoingCall, RuleOutcome
from simulator.http import Exchange, Server
from simulator.wire import HttpRequest, HttpResponse
from tests.integration.rules.rule_runners import CONTEXT, USER, StartRunner, rule

BODY = b"x" * 100_000


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    def respond(_request: HttpRequest, exchange: Exchange) -> None:
        exchange.respond(HttpResponse(200, BODY))

    server = Server(respond)
    await server.start()
    yield server
    await server.stop()


@pytest.mark.parametrize("dry_run", [False, True])
async def test_a_response_that_is_not_read_does_not_hold_its_chain(start: StartRunner, server: Server, dry_run: bool) -> None:
    runner = await start(
        {"unread": rule(f"require('http').get('{server.url}/', () => callback(null, user, context))")},
        timeout=60,
        dry_run=dry_run,
    )
    run = await asyncio.wait_for(runner.run(["unread"], USER, CONTEXT, event="1"), 20)
    (step,) = run.steps
    assert (step.outcome, step.error) == (RuleOutcome.KEPT, None)
    assert step.calls == (OutgoingCall(method="GET", url=f"{server.url}/", status=200),)


async def test_a_response_is_whole_for_a_rule_that_reads_it_late(start: StartRunner, server: Server) -> None:
    body = f"""
        require('http').get('{server.url}/', (response) => setTimeout(() => {{
          let size = 0;
          response.on('data', (part) => (size += part.length)).on('end', () => {{ context.size = size; callback(); }});
        }}, 700));
    """
    runner = await start({"late": rule(body)}, timeout=60)
    run = await runner.run(["late"], USER, CONTEXT, event="1")
    assert run.context["size"] == len(BODY)
