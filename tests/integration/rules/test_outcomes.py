"""What a rule can do, and what it comes to: each with a real rule process."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

import pytest

from rules.outcome import RuleOutcome
from rules.processes.node import Node
from rules.runner import RuleRunner
from tests.integration.rules.rule_runners import CONTEXT, KEEP, USER, StartRunner, rule, rule_set

KEPT, DENIED, FAILED, TIMED_OUT = RuleOutcome.KEPT, RuleOutcome.DENIED, RuleOutcome.FAILED, RuleOutcome.TIMED_OUT


class Case(NamedTuple):
    body: str
    outcome: RuleOutcome
    #: Part of the step's error; None: it has none.
    error: str | None


CASES = {
    "calls back": Case("callback(null, user, context)", KEPT, None),
    "calls back with nothing": Case("user.a = 1; callback()", KEPT, None),
    "calls back later": Case("setTimeout(() => callback(null, user, context), 5)", KEPT, None),
    "plain error": Case("callback(new Error('no such plan'))", FAILED, "no such plan"),
    "string": Case("callback('not today')", FAILED, "not today"),
    "object as error": Case("callback({ code: 7 })", FAILED, "code: 7"),
    "denied": Case("callback(new UnauthorizedError('Come back on Monday'))", DENIED, "Come back on Monday"),
    "throws": Case("\nnull.x", FAILED, "(line 3)"),
    "throws UnauthorizedError": Case("throw new UnauthorizedError('no')", FAILED, "no"),
    "throws a string": Case("throw 'oh'", FAILED, "oh"),
    "throws nothing": Case("throw undefined", FAILED, "undefined"),
    "throws later": Case("setTimeout(() => { throw new Error('later') }, 5)", FAILED, "later"),
    "rejects": Case("return Promise.reject(new TypeError('rejected'))", FAILED, "TypeError: rejected"),
    "rejects a promise that nothing holds": Case("(async () => { await null; throw new Error('lost') })()", FAILED, "lost"),
    "calls back twice": Case("callback(null, user, context); callback(new Error('again'))", KEPT, None),
    "throws after its callback": Case("callback(null, user, context); throw new Error('late')", KEPT, "after its callback: late"),
    "throws long after its callback": Case(
        "callback(null, user, context); setTimeout(() => { throw new Error('late') }, 30)", KEPT, "after its callback: late"
    ),
    "rejects after its callback": Case(
        "callback(null, user, context); setTimeout(() => Promise.reject(new Error('late')), 30)", KEPT, "after its callback: late"
    ),
    "circular user": Case("user.self = { user }; callback(null, user, context)", FAILED, "user.self.user is circular"),
    "circular array": Case("user.a = []; user.a.push(user.a); callback()", FAILED, "user.a[0] is circular"),
    "BigInt": Case("context.idToken.n = 10n; callback()", FAILED, "context.idToken.n is a BigInt"),
    "function": Case("user.get = () => 1; callback()", FAILED, "user.get is a function"),
    "getter that throws": Case(
        "Object.defineProperty(user, 'x', { enumerable: true, get() { throw new Error('mine') } }); callback()", FAILED, "mine"
    ),
    "toJSON that throws": Case("user.x = { toJSON() { throw new Error('mine') } }; callback()", FAILED, "mine"),
    "user is a string": Case("callback(null, 'auth0|1', context)", FAILED, "user is no object"),
    "context is a list": Case("callback(null, user, [])", FAILED, "context is no object"),
    "300 kB": Case("user.x = 'x'.repeat(300000); callback()", FAILED, "larger than 256 kB"),
    "300 kB in two-byte characters": Case("user.x = 'é'.repeat(150000); callback()", FAILED, "larger than 256 kB"),
    "250 kB": Case("user.x = 'x'.repeat(250000); callback()", KEPT, None),
    "shared parts without end": Case(
        "let x = {}; for (let n = 0; n < 60; n++) x = { a: x, b: x }; user.x = x; callback()", FAILED, "larger than 256 kB"
    ),
    "nested deeply": Case("let x = {}; for (let n = 0; n < 1e5; n++) x = { x }; user.x = x; callback()", FAILED, "too deeply"),
    "process.exit": Case("process.exit(0)", FAILED, "process.exit is not available"),
    "process.abort": Case("process.abort()", FAILED, "process.abort is not available"),
    "kills itself": Case("process.kill(process.pid, 'SIGKILL')", FAILED, "process.kill is not available"),
    "kills its parent": Case("process.kill(process.ppid, 'SIGKILL')", FAILED, "process.kill is not available"),
    "starts a process": Case("require('child_process').execSync('true')", FAILED, "restricted"),
    "starts a thread": Case("new (require('worker_threads').Worker)('1', { eval: true })", FAILED, "restricted"),
    "reads a file": Case("require('fs').readFileSync('/etc/passwd'); callback()", FAILED, "restricted"),
}


async def test_each_thing_that_a_rule_can_do_is_an_outcome_and_none_disturbs_the_others(start: StartRunner) -> None:
    runner = await start({name: rule(case.body) for name, case in CASES.items()})
    runs = await asyncio.gather(*(runner.run([name], USER, CONTEXT, event=name) for name in CASES))
    found = {name: (run.outcome, run.steps[0].outcome) for name, run in zip(CASES, runs, strict=True)}
    assert found == {name: (case.outcome, case.outcome) for name, case in CASES.items()}
    for (name, case), run in zip(CASES.items(), runs, strict=True):
        error = run.steps[0].error
        assert (error is None) == (case.error is None), (name, error)
        assert (case.error or "") in (error or ""), (name, error)
    assert runs[list(CASES).index("calls back with nothing")].user == {**USER, "a": 1}


async def test_a_rule_that_never_calls_back_has_timed_out(start: StartRunner) -> None:
    runner = await start({"never": rule(""), "keep": KEEP}, timeout=0.3)
    run = await runner.run(["keep", "never", "keep"], USER, CONTEXT, event="1")
    assert [(step.rule, step.outcome) for step in run.steps] == [("keep", KEPT), ("never", TIMED_OUT)]
    assert run.outcome is TIMED_OUT
    assert run.steps[1].error == "it did not call back in time"


async def test_an_error_stops_the_chain(start: StartRunner) -> None:
    runner = await start({"keep": KEEP, "deny": rule("callback(new UnauthorizedError('no'))"), "last": KEEP})
    run = await runner.run(["keep", "deny", "last"], USER, CONTEXT, event="1")
    assert [step.rule for step in run.steps] == ["keep", "deny"]
    assert run.denied == ("deny", "no")


async def test_a_login_that_is_no_json_fails_and_odd_ones_cross(start: StartRunner) -> None:
    runner = await start({"keep": KEEP})
    deep: dict[str, object] = {}
    for _ in range(5000):
        deep = {"a": deep}
    for bad in ({"n": float("nan")}, {"d": object()}, deep):
        run = await runner.run(["keep"], bad, CONTEXT, event="1")
        assert (run.outcome, run.user) == (FAILED, bad)
        assert (run.steps[0].error or "").startswith("user and context are no JSON: ")
    odd: dict[str, object] = {"half": "\ud83d", "none": None, "list": [{}], "é": "\0", "__proto__": 1, "long": "x" * 200_000}
    run = await runner.run(["keep"], odd, CONTEXT, event="1")
    assert (run.outcome, run.user) == (KEPT, odd)


async def test_a_chain_of_no_rule_is_kept(start: StartRunner) -> None:
    runner = await start({"keep": KEEP})
    run = await runner.run([], USER, CONTEXT, event="1")
    assert (run.outcome, run.steps, run.user) == (KEPT, (), USER)
    with pytest.raises(ValueError, match="not loaded: other"):
        await runner.run(["other"], USER, CONTEXT, event="1")


async def test_a_run_that_is_cancelled_disturbs_no_other(start: StartRunner) -> None:
    runner = await start({"slow": rule("setTimeout(callback, 200)"), "keep": KEEP})
    cancelled = asyncio.create_task(runner.run(["slow"], USER, CONTEXT, event="1"))
    other = asyncio.create_task(runner.run(["slow"], USER, CONTEXT, event="2"))
    await asyncio.sleep(0.05)
    cancelled.cancel()
    assert (await other).outcome is KEPT
    assert cancelled.cancelled()
    assert (await runner.run(["keep"], USER, CONTEXT, event="3")).outcome is KEPT


async def test_what_a_rule_changes_the_next_one_gets(start: StartRunner) -> None:
    runner = await start(
        {
            "first": rule("user.a = 1; callback(null, user, { ...context, multifactor: { provider: 'any' } })"),
            "second": rule("context.redirect = { url: 'https://x.test/' + user.a }; callback(null, user, context)"),
        }
    )
    run = await runner.run(["first", "second"], USER, CONTEXT, event="1")
    assert (run.multifactor, run.redirect) == ({"provider": "any"}, {"url": "https://x.test/1"})
    assert run.denied is None


@pytest.mark.parametrize("body", ["for (;;) {}", "(async () => { await null; for (;;) {} })()"])
async def test_a_loop_is_killed_and_its_process_replaced(start: StartRunner, body: str) -> None:
    runner = await start({"loop": rule(body), "keep": KEEP}, timeout=0.5)
    before = runner.pids
    run = await runner.run(["loop"], USER, CONTEXT, event="1")
    assert run.outcome is TIMED_OUT
    assert (await runner.run(["keep"], USER, CONTEXT, event="2", timeout=5)).outcome is KEPT
    assert set(runner.pids).isdisjoint(before)


@pytest.mark.outages
async def test_a_leak_crashes_its_process_and_nothing_else(start: StartRunner) -> None:
    leak = rule("const all = []; for (;;) all.push(new Array(1e5).fill(1.5));")
    runner = await start({"leak": leak, "keep": KEEP, "slow": rule("setTimeout(callback, 100)")}, timeout=20.0)
    chains = ["slow", "leak", "keep"]
    runs = await asyncio.gather(*(runner.run([name], USER, CONTEXT, event=name) for name in chains))
    assert [run.outcome for run in runs] == [KEPT, RuleOutcome.CRASHED, KEPT]


@pytest.mark.outages
async def test_buffers_without_end_are_bounded_too(start: StartRunner) -> None:
    """V8's limit does not count them; that of the address space does, and whether V8 or the rule notices first is chance."""
    runner = await start(
        {"buffers": rule("global.all = []; for (;;) global.all.push(Buffer.alloc(1e8, 1));"), "keep": KEEP}, timeout=20.0
    )
    run = await runner.run(["buffers"], USER, CONTEXT, event="1")
    assert run.outcome in (FAILED, RuleOutcome.CRASHED)
    assert (await runner.run(["keep"], USER, CONTEXT, event="2")).outcome is KEPT


async def test_of_the_context_only_what_is_wanted_comes_back_and_the_user_only_where_it_was_changed(start: StartRunner) -> None:
    changes = "user.name = 'Ada'; context.idToken.plan = 'gold'; callback(null, user, context)"
    runner = await start({"keep": KEEP, "change": rule(changes)})
    context = {**CONTEXT, "request": {"ip": "203.0.113.7"}}
    same, changed = [
        await runner.run([name], USER, context, event="1", wanted=["idToken", "redirect"]) for name in ("keep", "change")
    ]
    assert same.user is USER
    assert same.context == {"idToken": {}}
    assert (changed.user, changed.context) == ({**USER, "name": "Ada"}, {"idToken": {"plan": "gold"}})


@pytest.mark.parametrize(
    ("source", "line", "message"),
    [
        ("function (", 1, "Unexpected end of input"),
        ("function (user, context, callback) {\n  callback(null;\n}\n", 2, "missing ) after argument list"),
    ],
)
async def test_a_rule_that_does_not_compile_is_named_with_a_line_that_its_file_has(
    node: Node, source: str, line: int, message: str
) -> None:
    runner = RuleRunner(node.command(None))
    try:
        (broken,) = await runner.start(rule_set({"broken": source, "keep": KEEP}))
    finally:
        await runner.close()
    assert (broken.name, broken.line, broken.message) == ("broken", line, message)
