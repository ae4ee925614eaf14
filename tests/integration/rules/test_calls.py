"""The requests that rules make, as a run reports them, and in a dry run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from rules.outcome import OutgoingCall, RuleOutcome
from simulator.http import Exchange, Server
from simulator.wire import HttpRequest, HttpResponse
from tests.integration.rules.rule_runners import CONTEXT, USER, StartRunner, rule


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    requests: list[str] = []

    def respond(request: HttpRequest, exchange: Exchange) -> None:
        requests.append(request.target)
        exchange.respond(HttpResponse.json(404, {"asked": request.target}))

    server = Server(respond)
    await server.start()
    yield server
    await server.stop()


#: `url` has user and password.
CALLS = {
    "http.get": "require('http').get(url, (response) => response.resume().on('end', () => callback()))",
    "http.request": (
        "const { request } = require('node:http');"
        "request(new URL(url), { method: 'GET' }, (response) => response.resume().on('end', () => callback())).end()"
    ),
    "fetch": "fetch(url.replace('me:secret@', '')).then((response) => response.text()).then(() => callback())",
}


async def test_a_call_is_reported_with_its_status_and_without_its_password(start: StartRunner, server: Server) -> None:
    url = server.url.replace("://", "://me:secret@") + "/hook?a=1"
    runner = await start({name: rule(f"const url = '{url}'; {body}") for name, body in CALLS.items()})
    for name in CALLS:
        run = await runner.run([name], USER, CONTEXT, event=name)
        (call,) = run.steps[0].calls
        assert (call.method, call.status, call.error) == ("GET", 404, "")
        assert call.url.replace("me:***@", "") == f"{server.url}/hook?a=1"


SHOWS = {
    "console": "console.log(configuration); console.error(JSON.stringify(configuration)); callback()",
    "denied": "callback(new UnauthorizedError('no: ' + configuration.KEY))",
    "thrown after": "callback(); throw new Error(configuration.PEM)",
    "request": "require('http').get('http://a.invalid', { lookup: (h, o, d) => d(new Error(configuration.KEY)) }, callback)",
}


async def test_no_value_of_the_configuration_stands_in_what_a_rule_shows(start: StartRunner) -> None:
    """Published rules print `configuration` as a whole when something goes wrong."""
    configuration = {
        "KEY": 'canary"1',
        "PEM": "-----BEGIN KEY-----\ncanary+2\n",
        "ODD": "canary\ud800",
        "SHORT": "1",
        "NESTED": {"keys": ["canary-3"]},
    }
    runner = await start({name: rule(body) for name, body in SHOWS.items()}, configuration=configuration)
    for name in SHOWS:
        run = await runner.run([name], USER, CONTEXT, event=name)
        (step,) = run.steps
        shown = repr((step.error, step.console, step.calls))
        assert "***" in shown, name
        assert "canary" not in shown, name


URLS = {
    "in the query": ("'https://a.invalid/x?hapikey=' + configuration.KEY + '&list=1'", "https://a.invalid/x?hapikey=***&list=1"),
    "in the path": ("'https://a.invalid/' + configuration.KEY + '/x#'", "https://a.invalid/***/x#"),
    "as a whole": ("configuration.HOOK + '?a=1'", "https://b.invalid/***?a=1"),
}


@pytest.mark.parametrize(("url", "shown"), URLS.values(), ids=URLS)
async def test_a_key_from_the_configuration_is_masked_in_a_url(start: StartRunner, url: str, shown: str) -> None:
    configuration = {"KEY": "canary-123", "HOOK": "https://b.invalid/services/T0/canary", "HOST": "a.invalid"}
    runner = await start({"call": rule(f"fetch({url}).then(() => callback())")}, configuration=configuration, dry_run=True)
    run = await runner.run(["call"], USER, CONTEXT, event="1")
    assert [call.url for call in run.steps[0].calls] == [shown]


async def test_calls_of_chains_side_by_side_do_not_mix(start: StartRunner, server: Server) -> None:
    body = f"fetch('{server.url}/' + user.user_id).then((r) => r.json()).then(() => callback())"
    runner = await start({"call": rule(body)})
    runs = await asyncio.gather(*(runner.run(["call"], {"user_id": f"u{n}"}, CONTEXT, event=str(n)) for n in range(30)))
    assert [run.steps[0].calls for run in runs] == [
        (OutgoingCall(method="GET", url=f"{server.url}/u{n}", status=404),) for n in range(30)
    ]


DRY = {
    "http": "require('http').request({ host: 'a.invalid', path: '/x', method: 'POST' }, answer).end('body')",
    "https": "require('https').request('https://a.invalid/x', { method: 'POST' }, answer).end('body')",
    "an agent of its own": (
        "const https = require('https');"
        "https.request('https://a.invalid/x', { method: 'POST', agent: new https.Agent({ keepAlive: true }) }, answer).end()"
    ),
    "one that asks whether to go on": (
        "const r = require('http').request('http://a.invalid/x', { method: 'POST', headers: { Expect: '100-continue' } },"
        "answer); r.flushHeaders(); r.on('continue', () => r.end('body'))"
    ),
    "a stream": (
        "const r = require('https').request('https://a.invalid/x', { method: 'POST' }, answer);"
        "r.write('a'); setTimeout(() => r.end('b'), 20)"
    ),
}
_ANSWER = """
    const answer = (response) => {
      const parts = [];
      response.on('data', (part) => parts.push(part)).on('end', () => {
        context.body = Buffer.concat(parts).toString(); context.status = response.statusCode; callback(null, user, context);
      });
    };
"""


async def test_in_a_dry_run_a_request_is_answered_and_recorded_and_does_not_leave(start: StartRunner) -> None:
    runner = await start({name: rule(_ANSWER + body) for name, body in DRY.items()}, dry_run=True)
    for name in DRY:
        run = await runner.run([name], USER, CONTEXT, event=name)
        assert (run.outcome, run.context["body"], run.context["status"]) == (RuleOutcome.KEPT, "{}", 200)
        ((method, status, url),) = [(call.method, call.status, call.url) for call in run.steps[0].calls]
        assert (method, status) == ("POST", 200)
        assert url.endswith("://a.invalid/x")


async def test_in_a_dry_run_a_request_for_the_head_alone_is_answered_without_a_body(start: StartRunner) -> None:
    body = "require('https').request('https://a.invalid/x', { method: 'HEAD' }, answer).on('error', callback).end()"
    runner = await start({"head": rule(_ANSWER + body)}, dry_run=True)
    run = await runner.run(["head"], USER, CONTEXT, event="1")
    assert (run.outcome, run.context["body"], run.context["status"]) == (RuleOutcome.KEPT, "", 200)


@pytest.mark.parametrize("wrong", ["'no url'", "'https://a.invalid/', { body: 'x' }"])
@pytest.mark.parametrize("dry_run", [False, True])
async def test_fetch_refuses_what_is_no_request_in_a_dry_run_too(start: StartRunner, wrong: str, dry_run: bool) -> None:
    runner = await start({"call": rule(f"fetch({wrong}).then(() => callback(), callback)")}, dry_run=dry_run)
    run = await runner.run(["call"], USER, CONTEXT, event="1")
    assert run.outcome is RuleOutcome.FAILED
    assert [call.status for call in run.steps[0].calls] == [None]


async def test_in_a_dry_run_fetch_is_answered_too(start: StartRunner) -> None:
    body = "fetch('https://a.invalid/x', { method: 'put' }).then((r) => r.json()).then((b) => { context.b = b; callback() })"
    runner = await start({"call": rule(body)}, dry_run=True)
    run = await runner.run(["call"], USER, CONTEXT, event="1")
    assert run.context["b"] == {}
    assert run.steps[0].calls == (OutgoingCall(method="PUT", url="https://a.invalid/x", status=200),)


LEAVING = (
    "require('net').connect(PORT, '127.0.0.1').on('error', callback)",
    "require('tls').connect(PORT, '127.0.0.1').on('error', callback)",
    "require('http2').connect('http://127.0.0.1:' + PORT).on('error', callback)",
    "require('dgram').createSocket('udp4').send('x', PORT, '127.0.0.1', callback)",
    "require('dns').lookup('a.invalid', callback)",
    "require('dns').promises.resolve('a.invalid').catch(callback)",
    "const r = new (require('dns').Resolver)(); r.setServers(['127.0.0.1:' + PORT]); r.resolve4('a.invalid', callback)",
    "const r = new (require('dns/promises').Resolver)(); r.setServers(['127.0.0.1:' + PORT]); r.resolveTxt('a').catch(callback)",
)


async def test_in_a_dry_run_nothing_else_leaves_either(start: StartRunner, server: Server) -> None:
    sources = {f"rule{n}": rule(f"const PORT = {server.port}; {body}") for n, body in enumerate(LEAVING)}
    runner = await start(sources, dry_run=True)
    for name in sources:
        run = await runner.run([name], USER, CONTEXT, event=name)
        assert run.outcome is RuleOutcome.FAILED
        assert "dry run" in (run.steps[0].error or "")
    assert not server.connections
