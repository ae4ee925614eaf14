"""Writes `docs/benchmarks.md` from the results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from statistics import median
from typing import Final

from bench.catch_up import CatchUpFigures
from bench.results import Cell, ResultRow, Results
from bench.rule_pipeline import OFF, PipelineFigures
from bench.rules import RuleFigures

_CELLS: Final = [(latency, calls) for latency in (0.0, 0.02, 0.1) for calls in (5, 50)]
_HOW: Final = """\
Each round measures every line once, in turn, so that other work of the machine affects all of them alike; figures are medians
over the rounds. The receiver is `simulator.receiver` in a process of its own, Kafka 4.3 a single broker from the jars, with a
topic of six partitions; all share the cores. Events are 1,500 bytes, of 10,000 users, gzip as our producer writes them; calls
are signed, order is kept per user, settings are the defaults but for `WEBHOOK_CONCURRENT_CALLS`. CPU is that of all our processes
in user and kernel mode, from `/proc`, after some seconds of warming up. *Share* is events a second ÷ (calls ÷ latency), with the
latency as the receiver measured it (a timer of 20 ms takes 20.5 to 22 ms on a busy machine). *Our client alone* is
`consumer.http.client` sending the same requests in a closed loop without a log; *aiohttp* the same with that library. The unit is
the CPU of one call by `wrk` on 50 connections against nginx in the same run.
"""
_HEAD: Final = (
    "| latency, calls | who | events/s | share | CPU an event, µs (least–most) | wrk calls "
    "| ÷ our client | events a CPU second | MB |"
)
_KAFKA: Final = (
    ("kafka", 1, "consumer"),
    ("kafka", 3, "consumer × 3"),
    ("own", 1, "our client alone"),
    ("aiohttp", 1, "aiohttp alone"),
)
_SQLITE: Final = (("sqlite", 1, "consumer on SQLite"),)
_RULES: Final[Sequence[tuple[str, str, Callable[[RuleFigures], str]]]] = (
    ("a trivial rule, one after the other: p50", "< 0.4 ms", lambda one: f"{one.trivial_p50:.2f} ms"),
    ("the same: p99", "", lambda one: f"{one.trivial_p99:.2f} ms"),
    ("the same, chains a second", "", lambda one: f"{one.trivial_rate:,.0f}"),
    ("64 in flight, chains a second", "", lambda one: f"{one.pipelined_rate:,.0f}"),
    ("64 in flight, chains a CPU second of both processes", "≥ 3,000", lambda one: f"{one.pipelined_cpu_rate:,.0f}"),
    ("a chain of ten trivial rules, p50", "", lambda one: f"{one.ten_p50:.2f} ms"),
    ("a rule with one HTTP call on a new connection, p50", "", lambda one: f"{one.http_p50:.1f} ms"),
    ("the same, chains a second", "", lambda one: f"{one.http_rate:,.0f}"),
    ("the same, 64 in flight", "", lambda one: f"{one.http_pipelined_rate:,.0f}"),
    ("start of a runner to its first result, with its probe", "", lambda one: f"{one.spawn:.0f} ms"),
    ("a killed process replaced, to the next result", "< 500 ms", lambda one: f"{one.respawn:.0f} ms"),
    ("memory of the rule process, ready and at the end", "", lambda one: f"{one.memory_ready:.0f}, {one.memory_end:.0f} MB"),
    ("load average of the machine", "", lambda one: f"{one.load:.1f}"),
)
_AIMS: Final = {"a trivial rule": "< 0.4 ms"}
#: Entries a second that a catch-up on Kafka should reach where nothing limits it.
_CATCH_UP_AIM: Final = 6_000
_RULE: Final = "|---|---|---|---|---|---|---|---|---|"


def markdown(results: Results, command: str) -> str:
    return "\n".join(
        [
            "# Benchmarks",
            "",
            "<!-- Written by `make bench`; do not edit. -->",
            "",
            *_conditions(results, command),
            "",
            "![CPU per event and share of the possible rate](benchmarks.svg)",
            "",
            "## Against the aims",
            "",
            *_aims(results),
            "",
            "## All figures",
            "",
            *_matrix(results, _KAFKA),
            "",
            "### On SQLite, one process",
            "",
            *_matrix(results, _SQLITE),
            "",
            "### One hot user among many",
            "",
            *_hot(results),
            "",
            *_rules(results.rules),
            *_pipeline(results.pipeline),
            *_catch_up(results.catch_up),
            "## How it is measured",
            "",
            _HOW,
        ]
    )


def _conditions(results: Results, command: str) -> Iterator[str]:
    at = f" at commit {results.commit}" if results.commit else ""
    yield f"{results.date}, `{command}`{at}, {len(results.load)} rounds. {results.machine}."
    yield ""
    if results.load:
        yield f"Load average at the start of each round: {', '.join(f'{load:.1f}' for load in results.load)}. "
        yield "Much above 2 means that other work was running: read ratios, not microseconds."
    if results.unit:
        spread = f"{min(results.wrk):.1f} to {max(results.wrk):.1f}"
        yield ""
        yield f"One call by `wrk` costs {results.unit:.1f} µs of CPU here ({spread} over the rounds): the unit below."


def _aims(results: Results) -> Iterator[str]:
    yield "| what | aim | found | |"
    yield "|---|---|---|---|"
    for what, aim, found, reached in _against_aims(results):
        yield f"| {what} | {aim} | {found} | {'reached' if reached else '**missed**'} |"


def _against_aims(results: Results) -> Iterator[tuple[str, str, str, bool]]:
    unit = results.unit
    for latency, calls, most in ((0.02, 50, 9.0), (0.0, 50, 7.0), (0.0, 5, 7.0)):
        row = results.row(Cell("kafka", 1, calls, latency))
        if row and unit:
            what = f"CPU per delivered event, {latency * 1000:g} ms, {calls} calls"
            yield what, f"≤ {most:g} wrk calls", f"{row.cpu / unit:.1f} ({row.cpu:.0f} µs)", row.cpu / unit <= most
    for latency, calls in ((0.02, 5), (0.02, 50), (0.1, 5), (0.1, 50)):
        for replicas in (1, 3):
            row, own = results.row(Cell("kafka", replicas, calls, latency)), results.row(Cell("own", 1, calls, latency))
            if row:
                beside = f"{row.share:.3f}" + (f" (our client alone: {own.share:.3f})" if own else "")
                what = f"share, {latency * 1000:g} ms, {calls} calls, {replicas} replica{'s' if replicas > 1 else ''}"
                yield what, "≥ 0.95", beside, row.share >= 0.95
    for name, part in results.idle.items():
        yield f"idle consumer on {name}, of a core", "≤ 1.5 %", f"{part:.1%}", part <= 0.015
    for name, delays in results.visible.items():
        what = f"visible in Auth0 → 200 on {name}, poll interval 1 s, {delays.count} events"
        found = f"p50 {delays.p50:.2f} s, p99 {delays.p99:.2f} s, most {delays.most:.2f} s"
        yield what, "p50 < 0.7 s, p99 < 1.5 s", found, delays.p50 < 0.7 and delays.p99 < 1.5
    for name, backlog in results.backlogs.items():
        what = f"memory on {name}, {backlog.events:,} events waiting and the webhook down for {backlog.seconds:g} s"
        memory = f"{backlog.early:.0f} MB at its start, {backlog.late:.0f} MB at its end, {backlog.most:.0f} at most"
        found = f"{memory}; CPU {backlog.cpu:.1%}"
        yield what, "< 150 MB, flat", found, backlog.most < 150 and backlog.late - backlog.early < 5
    once = all(row.duplicates == 0 for row in results.rows)
    yield "each event once in every run above", "no duplicate", "none" if once else "some", once
    kept = all(row.most_open <= row.concurrency for row in results.rows)
    yield "calls open at once, at the receiver, replicas together", "≤ the limit", "never more" if kept else "more", kept


def _matrix(results: Results, names: Sequence[tuple[str, int, str]]) -> Iterator[str]:
    yield _HEAD
    yield _RULE
    for latency, calls in _CELLS:
        own = results.row(Cell("own", 1, calls, latency))
        for who, replicas, name in names:
            row = results.row(Cell(who, replicas, calls, latency))
            if row:
                yield _line(results, row, f"{latency * 1000:g} ms, {calls}", name, own)


def _line(results: Results, row: ResultRow, where: str, name: str, own: ResultRow | None) -> str:
    share = f"{row.share:.3f}" if row.latency else ""
    cost = f"{row.cpu:.0f} ({row.cpu_range[0]:.0f}–{row.cpu_range[1]:.0f})"
    calls = f"{row.cpu / results.unit:.1f}" if results.unit else ""
    ratio = f"{row.cpu / own.cpu:.1f}" if own else ""
    memory = f"{row.rss:.0f}" if row.rss else ""
    return f"| {where} | {name} | {row.rate:,.0f} | {share} | {cost} | {calls} | {ratio} | {1e6 / row.cpu:,.0f} | {memory} |"


def _rules(figures: Sequence[RuleFigures]) -> Iterator[str]:
    if not figures:
        return
    yield "## Rules"
    yield ""
    yield "| what | aim |" + "".join(f" Node.js {one.node.removeprefix('v')} |" for one in figures)
    yield "|---|---|" + "---|" * len(figures)
    for what, aim, shown in _RULES:
        yield f"| {what} | {aim} |" + "".join(f" {shown(one)} |" for one in figures)
    yield ""


def _pipeline(figures: Sequence[PipelineFigures]) -> Iterator[str]:
    if not figures:
        return
    off = figures[0].cpu
    yield "### In the pipeline"
    yield ""
    yield "`consume` on SQLite, `RULES_FETCH_USER=false`. One user and one call without latency: from one event to the next. Many"
    yield f"users and 50 calls of 20 ms: the rate, and the CPU of both processes. Load average at first: {figures[0].load:.1f}."
    yield ""
    yield "| | one event, p50 | p99 | added, p50 | aim | events/s | share | CPU an event, µs | ÷ off |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for one in figures:
        added = "" if one.condition == OFF else f"{one.added:.2f} ms"
        yield (
            f"| {one.condition} | {one.p50:.2f} ms | {one.p99:.2f} ms | {added} | {_AIMS.get(one.condition, '')} "
            f"| {one.rate:,.0f} | {one.share:.3f} | {one.cpu:.0f} | {one.cpu / off:.1f} |"
        )
    yield ""


def _catch_up(figures: CatchUpFigures | None) -> Iterator[str]:
    if figures is None:
        return
    yield "## Catching up with Auth0's log"
    yield ""
    yield f"`python -m bench --catch-up`; load average when it began: {figures.load:.1f}. Much above 2: read shares and ratios."
    yield ""
    yield "| plan | pages, of those that the limit allows | aim | 429 | requests |"
    yield "|---|---|---|---|---|"
    for one in figures.plans:
        yield f"| {one.plan} | {one.share:.3f} | ≥ 0.95 | {one.refused} | {one.requests} |"
    yield ""
    yield "| without a limit, entries of 1.2 kB | entries/s | aim | CPU an entry, µs | entries a CPU second | load average |"
    yield "|---|---|---|---|---|---|"
    for name, speed in figures.unlimited.items():
        aim = f"≥ {_CATCH_UP_AIM:,}" if name == "Kafka" else ""
        yield f"| {name} | {speed.rate:,.0f} | {aim} | {speed.cpu:.0f} | {1e6 / speed.cpu:,.0f} | {speed.load:.1f} |"
    yield ""
    yield "| personal data, all fields, entries of 1.2 kB | CPU an entry, µs | ÷ a round trip of `json` |"
    yield "|---|---|---|"
    for name, cost in figures.privacy.items():
        what = "one round trip of `json`" if name == "json" else f"`PII_MODE={name}`"
        yield f"| {what} | {cost:.0f} | {cost / figures.privacy['json']:.1f} |"
    yield ""


def _hot(results: Results) -> Iterator[str]:
    yield "20 ms, 50 calls, one replica. The hot user's events go one after the other, 50 a second at most; while they wait,"
    yield "so does the rest of that user's partition, once its part of the window is full. The other partitions go on."
    yield ""
    yield "| events of one user | events/s | share |"
    yield "|---|---|---|"
    for part in sorted({part for part, _, _ in results.hot}):
        found: Sequence[tuple[float, float, float]] = [one for one in results.hot if one[0] == part]
        rate, share = median(one[1] for one in found), median(one[2] for one in found)
        yield f"| {part:.0%} | {rate:,.0f} | {share:.3f} |"
