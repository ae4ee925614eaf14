"""Rules: what a chain costs, in a rule process of each interpreter that is here."""

from __future__ import annotations

import asyncio
import gc
import os
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Final

from bench.receiver import receiver_process
from rules.processes.node import Node, find_node
from rules.rule import Rule, RuleSet
from rules.runner import RuleRunner
from shared.errors import EnvironmentUnusable

IN_FLIGHT: Final = 64
_CALLS: Final = 2_000
_LOOP_TIMEOUT: Final = 0.5  # seconds
_TICKS: Final = os.sysconf("SC_CLK_TCK")
#: 1.9 kB of JSON, as a login has it.
_USER: Final[Mapping[str, Any]] = {
    "user_id": "auth0|5f7c8ec7c33c6c004bbafe82",
    "email": "ada@example.com",
    "user_metadata": {"note": "x" * 600},
    "identities": [{"provider": "auth0", "user_id": f"id-{n}", "connection": "Username-Password"} for n in range(4)],
}
_CONTEXT: Final[Mapping[str, Any]] = {
    "clientName": "shop",
    "request": {"ip": "203.0.113.7", "userAgent": "x" * 400, "query": {}, "body": {}},
    "idToken": {},
    "accessToken": {},
    "stats": {"loginsCount": 7},
}
TRIVIAL: Final = "function (user, context, callback) { context.idToken.vip = true; callback(null, user, context); }"
HTTP: Final = """function (user, context, callback) {
    const request = require('http').request(configuration.url, { method: 'POST', agent: false }, (response) => {
        response.resume().on('end', () => callback(null, user, context));
    });
    request.on('error', callback);
    request.end(JSON.stringify(user));
}"""
_LOOP: Final = "function (user, context, callback) { for (;;) {} }"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFigures:
    """One interpreter. Times in milliseconds, rates in chains a second."""

    node: str
    #: 1-minute load average when it began.
    load: float
    trivial_p50: float
    trivial_p99: float
    trivial_rate: float
    #: 64 in flight; and the same by CPU seconds of this process and the rule process together.
    pipelined_rate: float
    pipelined_cpu_rate: float
    ten_p50: float
    http_p50: float
    http_rate: float
    http_pipelined_rate: float
    #: From the start of a runner to its first result, and from the end of a killed process to the first result of the next one.
    spawn: float
    respawn: float
    #: Resident memory of the rule process in MB: when it was ready, and at the end.
    memory_ready: float
    memory_end: float


def measure(folder: Path, rounds: int) -> list[RuleFigures]:
    """Returns the figures of each interpreter, medians over the rounds; the interpreters take turns."""
    with receiver_process(0.0, folder) as receiver:
        found = [[asyncio.run(_round(node, receiver.url)) for node in _nodes()] for _ in range(rounds)]
    return [_medians(each) for each in zip(*found, strict=True)]


def _nodes() -> list[Node]:
    found: dict[str, Node] = {}
    for path in (None, os.environ.get("PATH", "")):
        try:
            node = find_node(path)
        except EnvironmentUnusable:
            continue
        found[node.version] = node
    return list(found.values())


def _medians(figures: Sequence[RuleFigures]) -> RuleFigures:
    numbers = [name for name in RuleFigures.__slots__ if name != "node"]
    return RuleFigures(node=figures[0].node, **{name: median(getattr(one, name) for one in figures) for name in numbers})


def _rules(url: str) -> RuleSet:
    sources = {"trivial": TRIVIAL, "http": HTTP, "loop": _LOOP, **{f"t{n}": TRIVIAL for n in range(10)}}
    rules = tuple(Rule(name=name, path=Path(f"{name}.js"), source=source) for name, source in sources.items())
    return RuleSet(rules=rules, configuration={"url": url})


async def _round(node: Node, url: str) -> RuleFigures:
    load, began = os.getloadavg()[0], time.perf_counter()
    runner = RuleRunner(node.command(None))
    try:
        await runner.start(_rules(url))
        await _chain(runner, ["trivial"])
        spawn, ready = (time.perf_counter() - began) * 1000, _memory(runner)
        await _in_turn(runner, ["trivial"], 500)
        trivial = await _in_turn(runner, ["trivial"], _CALLS)
        cpu, seconds = _cpu(runner), await _timed(lambda: _together(runner, ["trivial"], 4 * _CALLS))
        spent = _cpu(runner) - cpu
        ten = await _in_turn(runner, [f"t{n}" for n in range(10)], _CALLS // 4)
        await _in_turn(runner, ["http"], 50)
        calls = await _in_turn(runner, ["http"], _CALLS // 4)
        calls_seconds = await _timed(lambda: _together(runner, ["http"], _CALLS))
        end = _memory(runner)
        respawn = await _respawn(runner)
    finally:
        await runner.close()
    return RuleFigures(
        node=node.version,
        load=load,
        trivial_p50=median(trivial),
        trivial_p99=quantiles(trivial, n=100)[98],
        trivial_rate=1000 * len(trivial) / sum(trivial),
        pipelined_rate=4 * _CALLS / seconds,
        pipelined_cpu_rate=4 * _CALLS / spent,
        ten_p50=median(ten),
        http_p50=median(calls),
        http_rate=1000 * len(calls) / sum(calls),
        http_pipelined_rate=_CALLS / calls_seconds,
        spawn=spawn,
        respawn=respawn,
        memory_ready=ready,
        memory_end=end,
    )


async def _chain(runner: RuleRunner, chain: Sequence[str], timeout: float = 20.0) -> None:
    run = await runner.run(chain, _USER, _CONTEXT, event="1", timeout=timeout)
    assert run.outcome == ("timed_out" if chain == ["loop"] else "kept"), run


async def _in_turn(runner: RuleRunner, chain: Sequence[str], count: int) -> list[float]:
    """Returns the milliseconds of each."""
    gc.collect()
    return [1000 * await _timed(lambda: _chain(runner, chain)) for _ in range(count)]


async def _together(runner: RuleRunner, chain: Sequence[str], count: int) -> None:
    left = iter(range(count))

    async def one_after_the_other(left: Iterator[int]) -> None:
        for _ in left:
            await _chain(runner, chain)

    await asyncio.gather(*(one_after_the_other(left) for _ in range(IN_FLIGHT)))


async def _respawn(runner: RuleRunner) -> float:
    await _chain(runner, ["loop"], _LOOP_TIMEOUT)
    return 1000 * await _timed(lambda: _chain(runner, ["trivial"]))


async def _timed(work: Callable[[], Awaitable[None]]) -> float:
    """Returns the seconds that it took."""
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began


def _cpu(runner: RuleRunner) -> float:
    """Seconds of CPU so far, of this process and its rule process."""
    (pid,) = runner.pids
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return time.process_time() + (int(fields[11]) + int(fields[12])) / _TICKS


def _memory(runner: RuleRunner) -> float:
    (pid,) = runner.pids
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
