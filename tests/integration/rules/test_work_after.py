"""A chain is done when the work that its rules started is: published rules call back first and send afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from rules.outcome import OutgoingCall, RuleOutcome
from simulator.http import Exchange, Server
from simulator.wire import HttpRequest, HttpResponse
from tests.integration.rules.rule_runners import CONTEXT, USER, StartRunner, rule

_DELAY = 0.15  # seconds until the server responds: long after every callback below


class SlowServer(Server):
    """Counts a request when it was responded to, so that one that was given up does not count."""

    def __init__(self) -> None:
        super().__init__(self._respond)
        self.served: list[str] = []

    async def _respond(self, request: HttpRequest, exchange: Exchange) -> None:
        await asyncio.sleep(_DELAY)
        exchange.respond(HttpResponse.json(201, {"ok": True}))
        self.served.append(f"{request.method} {request.path}")


@pytest.fixture
async def server() -> AsyncIterator[SlowServer]:
    server = SlowServer()
    await server.start()
    yield server
    await server.stop()


#: What a rule does after its callback, until it asks for `/http` below `URL`.
KINDS = {
    "http": "require('http').request(URL + '/http', { method: 'POST' }).end('x')",
    "http on a socket that is kept": (
        "const http = require('http'); global.agent = global.agent || new http.Agent({ keepAlive: true });"
        "http.get(URL + '/first', { agent: global.agent }, (response) => response.resume().on('end', () => "
        "setTimeout(() => http.get(URL + '/http', { agent: global.agent }, (other) => other.resume()), 20)))"
    ),
    "fetch": "fetch(URL + '/http', { method: 'POST', body: 'x' })",
    "fetch after fetch": "fetch(URL + '/first').then((response) => response.json()).then(() => fetch(URL + '/http'))",
    "a timer": "setTimeout(() => fetch(URL + '/http'), 40)",
    "a promise that nothing waits for": (
        "(async () => { await new Promise((done) => setTimeout(done, 30)); await fetch(URL + '/http') })()"
    ),
    "a plain socket": (
        "const socket = require('net').connect(PORT, '127.0.0.1');"
        "socket.write('GET /' + user.user_id + '/http HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n'); socket.resume()"
    ),
    "a look-up of a name": (
        "require('dns').lookup('localhost', () => setImmediate(() => require('http').get(URL + '/http', (r) => r.resume())))"
    ),
    "work for a thread of the pool": ("require('crypto').pbkdf2('a', 'b', 200000, 64, 'sha512', () => fetch(URL + '/http'))"),
}


async def test_work_after_the_callback_is_waited_for(start: StartRunner, server: SlowServer) -> None:
    head = f"const URL = '{server.url}/' + user.user_id, PORT = {server.port}; callback(null, user, context);"
    last = rule("context.last = true; callback(null, user, context)")
    sources = {f"kind{n}": rule(head + then) for n, then in enumerate(KINDS.values())}
    runner = await start({**sources, "last": last}, timeout=20.0)
    runs = await asyncio.gather(*(runner.run([name, "last"], {"user_id": name}, CONTEXT, event=name) for name in sources))
    assert [run.steps[0].error for run in runs] == [None] * len(KINDS)
    assert all(run.context["last"] for run in runs)
    done = {path.split("/")[1] for path in server.served if path.endswith("/http")}
    assert [kind for name, kind in zip(sources, KINDS, strict=True) if name not in done] == []


FILES = ("fs.readFile(process.argv[1], ask)", "fs.promises.readFile(process.argv[1]).then(ask)")


@pytest.mark.parametrize("read", FILES, ids=["callback", "promise"])
async def test_a_file_that_a_rule_may_read_is_waited_for(start: StartRunner, server: SlowServer, read: str) -> None:
    body = f"callback(); const fs = require('fs'), ask = () => fetch('{server.url}/file'); {read}"
    runner = await start({"reads": rule(body)}, timeout=20.0)
    run = await runner.run(["reads"], USER, CONTEXT, event="1")
    assert run.steps[0].calls == (OutgoingCall(method="GET", url=f"{server.url}/file", status=201),)


async def test_a_request_on_a_socket_that_another_chain_opened_is_waited_for(start: StartRunner, server: SlowServer) -> None:
    body = f"""
        const http = require('http');
        global.agent = global.agent || new http.Agent({{ keepAlive: true, maxSockets: 1 }});
        callback();
        http.get('{server.url}/' + user.user_id, {{ agent: global.agent }}, (response) => response.resume());
    """
    runner = await start({"kept": rule(body)}, timeout=600.0)
    for n in range(3):
        await runner.run(["kept"], {"user_id": str(n)}, CONTEXT, event=str(n))
        assert server.served[-1] == f"GET /{n}"
    assert len(server.connections) == 1


async def test_work_without_end_is_left_when_the_time_is_over(start: StartRunner) -> None:
    runner = await start({"timer": rule("callback(null, user, context); setInterval(() => {}, 10)")}, timeout=0.3)
    run = await runner.run(["timer"], USER, CONTEXT, event="1")
    assert (run.outcome, run.steps[0].error) == (RuleOutcome.KEPT, None)


async def test_what_keeps_no_process_alive_is_not_waited_for(start: StartRunner, server: SlowServer) -> None:
    body = f"""
        setInterval(() => {{}}, 10).unref();
        require('crypto').randomBytes(16);
        process.stdout.isTTY;
        const agent = new (require('http').Agent)({{ keepAlive: true }});
        require('http').get('{server.url}/', {{ agent }}, (response) => response.resume().on('end', callback));
        global.agent = agent;
    """
    runner = await start({"pool": rule(body)}, timeout=20)
    run = await asyncio.wait_for(runner.run(["pool"], USER, CONTEXT, event="1"), 10)
    assert run.outcome is RuleOutcome.KEPT


#: What Node.js' permission model refuses, by an exception or by an error handed to `done`.
REFUSED = {
    "a program": "require('child_process').exec('uname', done)",
    "a file": "require('fs').readFile('/etc/passwd', done)",
    "a file, by a stream": "require('fs').createReadStream('/etc/passwd').on('error', done)",
    "a file, by a promise": "require('fs').promises.stat('/etc/passwd').catch(done)",
    "a folder": "require('fs').mkdir('/etc/passwd/folder', done)",
    "a link": "require('fs').readlink('/etc/passwd', done)",
}


async def test_what_is_refused_holds_no_chain(start: StartRunner) -> None:
    sources = {
        f"kind{n}": rule(
            "const done = (error) => { context.why = error.code; callback(null, user, context); };"
            f"try {{ {what} }} catch (error) {{ done(error); }}"
        )
        for n, what in enumerate(REFUSED.values())
    }
    runner = await start(sources, timeout=60.0)
    runs = [await asyncio.wait_for(runner.run([name], USER, CONTEXT, event=name), 20) for name in sources]
    assert [run.context["why"] for run in runs] == ["ERR_ACCESS_DENIED"] * len(REFUSED)


async def test_a_refused_connection_after_the_callback_is_an_error_of_its_rule_and_no_more(start: StartRunner) -> None:
    body = (
        "callback(null, user, context); require('http').request({ port: 1, method: 'POST', host: '127.0.0.1', path: '/a' }).end()"
    )
    runner = await start({"fire": rule(body), "keep": rule("callback()")})
    run = await runner.run(["fire", "keep"], USER, CONTEXT, event="1")
    first, second = run.steps
    assert (run.outcome, first.outcome, second.error) == (RuleOutcome.KEPT, RuleOutcome.KEPT, None)
    assert first.error is not None
    assert first.error.startswith("after its callback: connect ECONNREFUSED")
    assert first.calls == (OutgoingCall(method="POST", url="http://127.0.0.1:1/a", error="connect ECONNREFUSED 127.0.0.1:1"),)


async def test_late_exceptions_of_many_chains_go_to_the_chain_that_they_belong_to(start: StartRunner) -> None:
    body = "callback(null, user, context); setTimeout(() => { throw new Error(user.user_id) }, 10 + Math.random() * 30)"
    runner = await start({"late": rule(body)})
    runs = await asyncio.gather(*(runner.run(["late"], {"user_id": f"u{n}"}, CONTEXT, event=str(n)) for n in range(50)))
    assert [run.steps[0].error for run in runs] == [f"after its callback: u{n} (line 2)" for n in range(50)]
