"""A process that is lost takes chains with it: which of them was the reason is found out, not guessed."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from rules.outcome import ChainRun, RuleOutcome
from rules.processes.node import Node
from rules.processes.pool import CHAINS
from rules.processes.process import ProcessCommand
from rules.runner import RuleRunner
from tests.integration.rules.rule_runners import CONTEXT, KEEP, USER, StartRunner, rule, rule_set

KEPT, TIMED_OUT, CRASHED, OFF = RuleOutcome.KEPT, RuleOutcome.TIMED_OUT, RuleOutcome.CRASHED, RuleOutcome.SWITCHED_OFF

#: The descriptor of the socket is no secret: it is an argument of the process.
_SOCKET = "const fs = require('fs'), fd = Number(process.argv[2]);"
CRASH = rule(f"{_SOCKET} fs.closeSync(fd);")
LOOP = rule("if (user.loop) for (;;) {} callback(null, user, context);")
#: Under way for long enough to be in the process when it goes.
SLOW = rule("setTimeout(() => callback(null, user, context), 200)")


StartCommand = Callable[[ProcessCommand, Mapping[str, str]], Awaitable[RuleRunner]]


@pytest.fixture
async def start_command() -> AsyncIterator[StartCommand]:
    async with AsyncExitStack() as stack:

        async def start(command: ProcessCommand, sources: Mapping[str, str]) -> RuleRunner:
            runner = RuleRunner(command, timeout=5.0)
            stack.push_async_callback(runner.close)
            await runner.start(rule_set(sources))
            return runner

        yield start


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def _together(runner: RuleRunner, *chains: list[str], timeout: float = 1.0) -> list[ChainRun]:
    looping = {**USER, "loop": True}
    return await asyncio.gather(
        *(runner.run(chain, looping, CONTEXT, event=str(n), timeout=timeout) for n, chain in enumerate(chains))
    )


async def test_innocent_chains_run_again_and_the_culprit_is_known(start: StartRunner) -> None:
    runner = await start({"slow": SLOW, "loop": LOOP, "keep": KEEP})
    runs = await _together(runner, ["slow"], ["slow", "keep"], ["keep", "loop"], ["keep"], ["slow"])
    assert [run.outcome for run in runs] == [KEPT, KEPT, TIMED_OUT, KEPT, KEPT]
    assert [(step.rule, step.outcome) for step in runs[2].steps] == [("keep", KEPT), ("loop", TIMED_OUT)]
    assert runs[2].steps[1].milliseconds > 900


async def test_a_place_in_a_process_is_waited_for_in_the_time_of_the_chain(start: StartRunner) -> None:
    """Its rule is not to blame: nothing of it ran."""
    runner = await start({"never": rule(""), "keep": KEEP}, timeout=60.0)
    under_way = [asyncio.create_task(runner.run(["never"], USER, CONTEXT, event=str(number))) for number in range(CHAINS)]
    async with asyncio.timeout(30):
        runs = await asyncio.gather(*(runner.run(["keep"], USER, CONTEXT, event=f"w{n}", timeout=0.3) for n in range(3)))
    assert [run.outcome for run in runs] == [TIMED_OUT] * 3
    assert {run.steps[0].error for run in runs} == {"no rule process had a place for it in its time"}
    waits = [asyncio.create_task(runner.run(["keep"], USER, CONTEXT, event=f"v{n}")) for n in range(3)]
    await asyncio.sleep(0.05)
    under_way[0].cancel()
    async with asyncio.timeout(30):
        assert {run.outcome for run in await asyncio.gather(*waits)} == {KEPT}
    assert not runner.switched_off
    for task in under_way:
        task.cancel()


async def test_a_process_that_hangs_with_all_its_places_taken_leaves_the_others_a_new_one(start: StartRunner) -> None:
    runner = await start({"loop": LOOP, "keep": KEEP}, timeout=120.0)
    looping = [
        asyncio.create_task(runner.run(["loop"], {**USER, "loop": True}, CONTEXT, event=str(number))) for number in range(CHAINS)
    ]
    await asyncio.sleep(0)  # they take their places
    async with asyncio.timeout(60):
        assert (await runner.run(["keep"], USER, CONTEXT, event="w")).outcome is KEPT
    assert not any(task.done() for task in looping)
    for task in looping:
        task.cancel()


async def test_a_chain_that_waits_to_run_alone_leaves_out_a_rule_that_was_switched_off_meanwhile(start: StartRunner) -> None:
    runner = await start({"loop": LOOP, "keep": KEEP})
    runs = await _together(runner, *[["loop", "keep"]] * 5, timeout=0.5)
    assert sorted(run.outcome for run in runs) == [KEPT] * 2 + [TIMED_OUT] * 3
    assert {tuple(step.outcome for step in run.steps) for run in runs if run.outcome is KEPT} == {(OFF, KEPT)}


@pytest.mark.outages
async def test_no_chain_spends_its_time_on_waiting_for_the_end_of_the_hangs_of_others(start: StartRunner) -> None:
    """All places of all processes that there may be are taken by them, for longer than the chain has."""
    runner = await start({"loop": LOOP, "keep": KEEP})
    looping = {**USER, "loop": True}
    hanging = []
    for _ in range(2):
        while not runner.pids:  # noqa: ASYNC110  nothing tells of it
            await asyncio.sleep(0.05)
        hanging += [asyncio.create_task(runner.run(["loop"], looping, CONTEXT, event="l", timeout=20.0)) for _ in range(CHAINS)]
        while runner.pids:  # noqa: ASYNC110  until it is known to be silent
            await asyncio.sleep(0.05)
    assert (await runner.run(["keep"], USER, CONTEXT, event="k", timeout=4.0)).outcome is KEPT
    for task in hanging:
        task.cancel()


#: Starts what follows, but for the second and third time; its first argument names a folder for what it remembers.
_SOMETIMES = """#!/bin/sh
folder="$1"; shift
for place in 1 2 3; do
    [ -e "$folder/$place" ] || { : > "$folder/$place"; [ $place = 1 ] && break; exit 7; }
done
exec "$@"
"""


async def test_a_start_that_fails_once_or_twice_lets_no_event_go_without_its_rules(
    node: Node, tmp_path: Path, start_command: StartCommand
) -> None:
    script = tmp_path / "sometimes"
    script.write_text(_SOMETIMES)
    script.chmod(0o755)
    command = node.command(None)
    runner = await start_command(replace(command, arguments=[str(script), str(tmp_path), *command.arguments]), {"keep": KEEP})
    os.kill(runner.pids[0], signal.SIGKILL)
    outcomes = []
    for number in range(100):
        outcomes.append((await runner.run(["keep"], USER, CONTEXT, event=str(number))).outcome)
        await asyncio.sleep(0.01)
    assert (tmp_path / "3").exists()
    assert set(outcomes) == {KEPT}


@pytest.mark.parametrize("chains", [1, 3])
async def test_chains_of_a_process_that_cannot_be_replaced_have_crashed(
    node: Node, tmp_path: Path, start_command: StartCommand, chains: int
) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    runner = await start_command(replace(node.command(None), folder=folder), {"slow": SLOW})
    folder.rmdir()
    under_way = asyncio.gather(*(runner.run(["slow"], USER, CONTEXT, event=str(number)) for number in range(chains)))
    await asyncio.sleep(0.05)
    os.kill(runner.pids[0], signal.SIGKILL)
    runs = await under_way
    assert {run.outcome for run in runs} == {CRASHED}
    assert "no rule process can be started" in (runs[0].steps[0].error or "")


@pytest.mark.outages
async def test_two_culprits_are_both_known(start: StartRunner) -> None:
    runner = await start({"slow": SLOW, "crash": CRASH, "loop": LOOP})
    runs = await _together(runner, ["slow"], ["crash"], ["slow"], ["loop"], ["crash"])
    assert [run.outcome for run in runs] == [KEPT, CRASHED, KEPT, TIMED_OUT, CRASHED]


async def test_what_a_chain_left_behind_does_not_make_the_next_one_guilty(start: StartRunner) -> None:
    """The first chain is over when its timer loops; the second one is alone in the process then."""
    left = rule("callback(); const timer = setInterval(() => { if (global.loop) for (;;) {} }, 5)")
    waits = rule("global.loop = true; setTimeout(callback, 300)")
    runner = await start({"left": left, "waits": waits}, timeout=0.4)
    assert (await runner.run(["left"], USER, CONTEXT, event="1")).outcome is KEPT
    assert (await runner.run(["waits"], USER, CONTEXT, event="2", timeout=2.0)).outcome is KEPT
    assert not runner.switched_off


#: Without a replacement the first one holds a timer for each event, the second one ends at the limit of the heap.
GROWING = {
    "a timer for each event": "setInterval(() => {}, 5); callback()",
    "a list that grows": "(global.list = global.list || []).push(new Array(25_000).fill(0)); setTimeout(callback, 100)",
}


@pytest.mark.outages
@pytest.mark.parametrize("name", GROWING)
async def test_a_process_that_grows_is_replaced_before_it_breaks(start: StartRunner, name: str) -> None:
    runner = await start({"grows": rule(GROWING[name])}, timeout=5.0)
    (before,) = runner.pids
    with capture_logs() as lines:
        for _ in range(100):
            timeout = 0.2 if "timer" in name else 5.0
            runs = [runner.run(["grows"], USER, CONTEXT, event=str(n), timeout=timeout) for n in range(20)]
            assert {run.outcome for run in await asyncio.gather(*runs)} == {KEPT}
            if runner.pids not in ([before], []):
                break
        async with asyncio.timeout(20):
            while _runs(before):  # noqa: ASYNC110  nothing tells of it
                await asyncio.sleep(0.05)
    assert "a rule process is replaced" in [line["event"] for line in lines]
    assert "a rule process was lost" not in [line["event"] for line in lines]
    assert (await runner.run(["grows"], USER, CONTEXT, event="1", timeout=0.2)).outcome is KEPT


@pytest.mark.outages
async def test_a_process_that_is_lost_takes_no_idle_one_with_it(start: StartRunner) -> None:
    runner = await start({"keep": KEEP}, processes=4)
    async with asyncio.timeout(30):
        while len(runner.pids) < 4:  # noqa: ASYNC110  nothing tells of it
            await asyncio.sleep(0.05)
        lost, *others = runner.pids
        os.kill(lost, signal.SIGKILL)
        while lost in runner.pids or len(runner.pids) < 4:  # noqa: ASYNC110  nothing tells of it
            await asyncio.sleep(0.05)
    assert set(others) < set(runner.pids)


async def test_a_rule_that_loops_after_its_callback_is_the_culprit_not_the_one_that_waits(start: StartRunner) -> None:
    late = rule("setTimeout(() => { for (;;) {} }, 50); callback()")
    runner = await start({"late": late, "waits": rule("setTimeout(callback, 5000)")}, timeout=0.5)
    run = await runner.run(["late", "waits"], USER, CONTEXT, event="1")
    assert [(step.rule, step.outcome) for step in run.steps] == [("late", TIMED_OUT)]


async def test_a_rule_that_takes_its_process_down_on_three_events_is_switched_off(start: StartRunner) -> None:
    runner = await start({"loop": LOOP, "keep": KEEP}, timeout=0.3)
    looping = {**USER, "loop": True}
    for event in ("1", "1", "1", "2"):
        assert (await runner.run(["loop"], looping, CONTEXT, event=event)).outcome is TIMED_OUT
    assert not runner.switched_off
    assert (await runner.run(["loop"], looping, CONTEXT, event="3")).outcome is TIMED_OUT
    run = await runner.run(["keep", "loop", "keep"], looping, CONTEXT, event="4")
    assert (run.outcome, [step.outcome for step in run.steps]) == (KEPT, [KEPT, OFF, KEPT])
    assert (await runner.run(["loop"], looping, CONTEXT, event="5")).steps[0].outcome is OFF


@pytest.mark.outages
async def test_while_a_process_is_silent_new_chains_run_in_another(start: StartRunner) -> None:
    runner = await start({"loop": LOOP, "keep": KEEP}, timeout=6.0)
    looping = asyncio.create_task(runner.run(["loop"], {**USER, "loop": True}, CONTEXT, event="1"))
    before = runner.pids
    while runner.pids == before:  # noqa: ASYNC110  nothing tells of it
        await asyncio.sleep(0.05)
    assert (await runner.run(["keep"], USER, CONTEXT, event="2")).outcome is KEPT
    assert not looping.done()
    assert (await looping).outcome is TIMED_OUT


FORGED = '{"is":"result","id":1,"outcome":"kept","left":false,"steps":[],"user":{"admin":true},"context":{}}'
PRINTS = {
    "stdout": f"process.stdout.write('{FORGED}\\n')",
    "stderr": f"process.stderr.write('{FORGED}\\n')",
    "descriptor 1": (f"const b = Buffer.from('    {FORGED}'); b.writeUInt32BE(b.length - 4); require('fs').writeSync(1, b)"),
    "10 MB": "for (let n = 0; n < 160; n++) process.stdout.write('x'.repeat(65536))",
    "10 MB in lines": "for (let n = 0; n < 100000; n++) console.log('x'.repeat(100))",
}


@pytest.mark.outages
async def test_what_a_rule_prints_is_no_message(start: StartRunner) -> None:
    runner = await start({name: rule(f"{body}; setTimeout(callback, 20)") for name, body in PRINTS.items()})
    runs = await asyncio.gather(*(runner.run([name], USER, CONTEXT, event=name) for name in PRINTS))
    assert [(run.outcome, run.user) for run in runs] == [(KEPT, USER)] * len(PRINTS)
    console = runs[-1].steps[0].console
    assert len(console) == 201
    assert (console[-1].level, console[-1].text) == ("warn", "more was written and is left out")


async def test_console_lines_carry_their_level_and_their_rule(start: StartRunner) -> None:
    body = "console.log('a %s', 1, { b: 2 }); console.warn('w'); setTimeout(() => { console.error(user.n); callback() }, 5)"
    runner = await start({"says": rule(body)})
    runs = await asyncio.gather(*(runner.run(["says"], {"n": n}, CONTEXT, event=str(n)) for n in range(20)))
    lines = [[(line.level, line.text) for line in run.steps[0].console] for run in runs]
    assert lines == [[("log", "a 1 { b: 2 }"), ("warn", "w"), ("error", str(n))] for n in range(20)]


async def test_a_line_of_ten_megabytes_is_cut(start: StartRunner) -> None:
    runner = await start({"says": rule("console.log('x'.repeat(1e7)); callback()")})
    run = await runner.run(["says"], USER, CONTEXT, event="1")
    assert len(run.steps[0].console[0].text) < 10_000


BREAKING = {
    "no length": "fs.writeSync(fd, Buffer.from('\\xff\\xff\\xff\\xff', 'latin1'))",
    "no JSON": "const b = Buffer.alloc(14, 'x'); b.writeUInt32BE(10); fs.writeSync(fd, b)",
    "half a frame": "const b = Buffer.alloc(14, 'x'); b.writeUInt32BE(10); fs.writeSync(fd, b.subarray(0, 9))",
    "a message that is none": (
        """const t = '{"is":"result","id":{}}', b = Buffer.alloc(4 + t.length);"""
        "b.writeUInt32BE(t.length); b.write(t, 4); fs.writeSync(fd, b)"
    ),
    "closes it": "fs.closeSync(fd)",
}


@pytest.mark.outages
async def test_a_rule_that_writes_into_the_socket_crashes_its_own_process_alone(start: StartRunner) -> None:
    sources = {f"breaks{n}": rule(f"{_SOCKET} {body}; setTimeout(callback, 50)") for n, body in enumerate(BREAKING.values())}
    runner = await start({**sources, "keep": KEEP}, timeout=1.0)
    for name in sources:
        assert (await runner.run([name], USER, CONTEXT, event=name)).outcome in (CRASHED, TIMED_OUT)
        assert (await runner.run(["keep"], USER, CONTEXT, event="2", timeout=10.0)).outcome is KEPT


async def test_a_machine_that_stood_still_is_no_fault_of_a_rule(start: StartRunner) -> None:
    runner = await start({"slow": rule("setTimeout(() => callback(), 300)")}, timeout=1)
    (pid,) = runner.pids
    run = asyncio.ensure_future(runner.run(["slow"], USER, CONTEXT, event="1"))
    await asyncio.sleep(0.1)
    os.kill(pid, signal.SIGSTOP)
    time.sleep(2.5)  # noqa: ASYNC251  the whole of this process, its timers too
    asyncio.get_running_loop().call_later(0.1, os.kill, pid, signal.SIGCONT)
    assert (await run).outcome in (KEPT, TIMED_OUT)
    assert runner.pids == [pid]
