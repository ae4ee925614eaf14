"""`make bench`: runs every benchmark and writes `bench/results.json`, `docs/benchmarks.md` and `docs/benchmarks.svg`.

python -m bench [--rounds 3] [--seconds 4] [--backlog 200000]      about 15 minutes
python -m bench --backlog 1000000                                  the large backlog
python -m bench --rules                                            only what rules cost, into the results of before
python -m bench --catch-up [--seconds 40]                         only the producer's catch-up, into the results of before
python -m bench --report                                           only write the report again
"""

from __future__ import annotations

import argparse
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Final

from bench import catch_up, rule_pipeline, rules, scenarios
from bench.events import events
from bench.logs import KafkaLog, SqliteLog, broker
from bench.measure import Measurement, Span, client, consumer, wrk_call
from bench.plot import svg
from bench.processes import ROOT
from bench.report import markdown
from bench.results import Cell, Results, rows
from tests.support.kafka.broker import Broker
from tests.support.process_guard import guarded

RESULTS: Final = ROOT / "bench" / "results.json"
CALLS: Final = (5, 50)
LATENCIES: Final = (0.0, 0.02, 0.1)
HOT: Final = (0.0, 0.01, 0.1)
#: Events a second, far above the rate of any cell, so that no run reaches the end of its log.
_FASTEST: Final = 20_000
#: Seconds: at two pages a second a shorter measurement says little.
_LEAST_OF_A_PLAN: Final = 40.0


def main() -> None:
    arguments = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # else the processes that we started would outlive us
    command = " ".join(["python -m bench", *sys.argv[1:]])
    if arguments.rules:
        _measure_rules(Results.read(RESULTS), arguments.rounds, arguments.seconds).save(RESULTS)
    elif arguments.catch_up:
        _measure_catch_up(Results.read(RESULTS), arguments).save(RESULTS)
    elif not arguments.report:
        results = _measure_rules(_measure(arguments, command), arguments.rounds, arguments.seconds)
        _measure_catch_up(results, arguments).save(RESULTS)
    results = Results.read(RESULTS)
    (ROOT / "docs" / "benchmarks.md").write_text(markdown(results, results.command))
    (ROOT / "docs" / "benchmarks.svg").write_text(svg(results))


def _measure_rules(results: Results, rounds: int, seconds: float) -> Results:
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        results.rules = rules.measure(Path(name), rounds)
        _print(f"rules: {results.rules}")
        results.pipeline = rule_pipeline.measure(Path(name), rounds, seconds)
    _print(f"rules in the pipeline: {results.pipeline}")
    return results


def _measure_catch_up(results: Results, arguments: argparse.Namespace) -> Results:
    with tempfile.TemporaryDirectory(prefix="bench-") as name, broker() as kafka:
        seconds = max(arguments.seconds, _LEAST_OF_A_PLAN)
        results.catch_up = catch_up.measure(Path(name), kafka, rounds=arguments.rounds, seconds=seconds)
    _print(f"catch-up: {results.catch_up}")
    return results


def _measure(arguments: argparse.Namespace, command: str) -> Results:
    results = Results(machine=_machine(), date=f"{datetime.now(UTC):%Y-%m-%d}", command=command, commit=_commit())
    long: float = arguments.seconds
    with tempfile.TemporaryDirectory(prefix="bench-") as name, broker() as kafka:
        folder = Path(name)
        _quiet(results, kafka, folder, arguments)
        count = round(_FASTEST * (long + 4))
        logs = KafkaLog(kafka, events(count)), SqliteLog(folder, events(count // 2))
        hot = {part: KafkaLog(kafka, events(round(3_000 * (long + 4)), hot=part)) for part in HOT}
        measurements: list[tuple[Cell, Measurement]] = []
        for number in range(arguments.rounds):
            results.load.append(os.getloadavg()[0])
            _print(f"round {number + 1}, load {results.load[-1]:.1f}")
            if call := wrk_call(folder, seconds=3):
                results.wrk.append(call)
            for cell, measurement in _round(*logs, folder, long):
                share = measurement.share(cell.concurrency)
                _print(f"  {cell}: {measurement.cpu_per_call:.1f} µs, {measurement.rate:.0f}/s, share {share:.3f}")
                measurements.append((cell, measurement))
            for part, log in hot.items():
                measurement = scenarios.hot_key(log, folder, Span(warm=3, long=long))
                results.hot.append((part, measurement.rate, measurement.share(scenarios.HOT_CALLS)))
                _print(f"  hot user {part:.0%}: {measurement.rate:.0f}/s")
            results.rows = rows(measurements)
            results.save(RESULTS)  # a run that is broken off keeps its rounds
    return results


def _quiet(results: Results, kafka: Broker, folder: Path, arguments: argparse.Namespace) -> None:
    """Measure what needs an idle machine."""
    results.idle["Kafka"] = scenarios.idle(KafkaLog(kafka), folder, 20, "idle-kafka")
    results.idle["SQLite"] = scenarios.idle(SqliteLog(folder), folder, 20, "idle-sqlite")
    _print(f"idle: {results.idle}")
    results.visible["Kafka"], results.visible["SQLite"] = scenarios.both_visible(kafka, folder, arguments.visible)
    _print(f"visible: {results.visible}")
    count: int = arguments.backlog
    results.backlogs["Kafka"] = scenarios.backlog(KafkaLog(kafka, events(count)), folder, count, 30)
    fewer = min(count, 50_000)
    results.backlogs["SQLite"] = scenarios.backlog(SqliteLog(folder, events(fewer)), folder, fewer, 30)
    _print(f"backlogs: {results.backlogs}")


def _round(kafka: KafkaLog, sqlite: SqliteLog, folder: Path, long: float) -> Iterator[tuple[Cell, Measurement]]:
    """Measure everything once; what is compared with each other runs one right after the other."""
    for latency, calls in product(LATENCIES, CALLS):
        span, joined = Span(warm=2, long=long), Span(warm=4, long=long)
        for who in ("own", "aiohttp"):
            yield (
                Cell(who, 1, calls, latency),
                client(who, folder, concurrency=calls, latency=latency, span=Span(warm=1, long=long)),
            )
        yield Cell("kafka", 1, calls, latency), consumer(kafka, folder, concurrency=calls, latency=latency, span=span)
        yield Cell("sqlite", 1, calls, latency), consumer(sqlite, folder, concurrency=calls, latency=latency, span=span)
        three = consumer(kafka, folder, concurrency=calls, latency=latency, span=joined, replicas=3)
        yield Cell("kafka", 3, calls, latency), three


def _machine() -> str:
    model = next((line.split(":")[1].strip() for line in _cpuinfo() if line.startswith("model name")), platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores ({model}), {memory:.0f} GB, Linux {platform.release()}, CPython {platform.python_version()}"


def _commit() -> str:
    """Returns the commit that is checked out; empty outside of a repository."""
    git = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, env=guarded(), capture_output=True, text=True, check=False
    )
    return git.stdout.strip()


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Run the benchmarks and write docs/benchmarks.md.")
    parser.add_argument("--rounds", type=int, default=3, help="how often each cell is measured")
    parser.add_argument("--seconds", type=float, default=4.0, help="how long each measurement takes")
    parser.add_argument("--backlog", type=int, default=200_000, help="events that wait while the webhook is down")
    parser.add_argument("--visible", type=int, default=100, help="events whose time from Auth0 to the 200 is measured")
    parser.add_argument("--rules", action="store_true", help="only measure what rules cost, into the results of before")
    parser.add_argument("--catch-up", action="store_true", help="only measure the producer's catch-up, as --rules")
    parser.add_argument("--report", action="store_true", help="measure nothing, write the report from the last results")
    return parser.parse_args()


def _print(words: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {words}", flush=True)


if __name__ == "__main__":
    main()
