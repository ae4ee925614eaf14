"""Chaos runs one after the other, each with every kind of fault, until the time is over; the sum becomes a row of docs/faults.md.

`SOAK_MINUTES=60 FAULTS_SEED=1 python -m tests.faults.soak`. Round n has the seed plus n, so a round that failed can be run alone.
Exit code 1 if a round failed; its folder, with every process's log, is kept and named.
"""

from __future__ import annotations

import logging
import os
import platform
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from shared import failpoints
from tests.faults.chaos import Chaos
from tests.faults.chaos_run import chaos_run
from tests.faults.fault_stack import fault_stack
from tests.faults.log_probe import KafkaProbe
from tests.faults.report import RunReport, show
from tests.support.fork_server import ROOT, ForkServer
from tests.support.kafka.broker import JarsBroker

PAGE: Final = ROOT / "docs" / "faults.md"
_MARK: Final = "<!-- soak: a row for each run, the newest last -->\n"
_ACTIONS: Final = {
    "kill consume": 6,
    "kill produce": 3,
    "freeze consume": 3,
    "freeze produce": 2,
    "stop consume": 3,
    "stop produce": 1,
    "broker kill": 3,
    "broker freeze": 1,
    "webhook refuse": 1,
    "webhook 503": 1,
    "webhook hang before headers": 1,
}
_ROUND: Final = 400.0  # seconds in which a round has to empty its decks


@dataclass(slots=True)
class SoakTotals:
    seed: int
    began: float = field(default_factory=time.monotonic)
    rounds: int = 0
    bad: list[str] = field(default_factory=list)
    happened: Counter[str] = field(default_factory=Counter)
    figures: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)

    def add(self, report: RunReport, chaos: Chaos) -> None:
        self.happened.update(chaos.happened)
        self.kinds.update(report.kinds)
        for name in ("events", "delivered", "duplicates", "repeated_records", "rebalances", "looks", "commits_seen"):
            self.figures[name] += getattr(report, name)
        for name in ("rss", "files", "threads"):
            self.figures[name] = max(self.figures[name], round(getattr(report, name)))

    def row(self) -> str:
        happened, figures = self.happened, self.figures
        kills = happened["killed at a point"] + happened["kill consume"] + happened["kill produce"]
        cells = (
            f"{datetime.now(UTC):%Y-%m-%d}",
            f"{(time.monotonic() - self.began) / 60:.0f} min, {self.rounds} rounds",
            self.seed,
            figures["events"],
            f"{kills} ({happened['killed at a point']} at a point)",
            f"{happened['broker kill']} + {happened['broker freeze']}",
            happened["freeze consume"] + happened["freeze produce"],
            figures["rebalances"],
            f"{sum(self.kinds.values())} of {len(self.kinds)} kinds",
            figures["looks"],
            figures["repeated_records"],
            figures["duplicates"],
            f"**{len(self.bad)}**" if self.bad else "0",
        )
        return "| " + " | ".join(str(cell) for cell in cells) + " |"


def main() -> int:
    minutes = float(os.environ.get("SOAK_MINUTES") or 10)
    total = SoakTotals(int(os.environ.get("FAULTS_SEED") or random.SystemRandom().randrange(1_000_000)))
    logging.getLogger().addHandler(logging.NullHandler())  # the client library logs each broker that we kill
    show(f"FAULTS_SEED={total.seed}, {minutes:g} minutes on {platform.machine()}, {os.cpu_count()} cores")
    fork_server = ForkServer()
    try:
        while time.monotonic() - total.began < minutes * 60:
            _round(total, fork_server)
    except KeyboardInterrupt:
        show("told to stop")
    finally:
        fork_server.close()
    show(total.row())
    if total.rounds:
        _write(total.row())
    return 1 if total.bad else 0


def _round(total: SoakTotals, fork_server: ForkServer) -> None:
    seed = total.seed + total.rounds
    folder = Path(tempfile.mkdtemp(prefix=f"soak-{seed}-"))
    actions = [action for action, times in _ACTIONS.items() for _ in range(times)]
    roles = ["consume", "consume", "consume", "produce", "produce"]
    with (
        JarsBroker() as broker,
        fault_stack(
            KafkaProbe(broker.bootstrap), folder, seed, fork_server=fork_server, WINDOW="200", WEBHOOK_MAX_ATTEMPTS="8"
        ) as stack,
    ):
        chaos = Chaos(stack, roles, [*failpoints.CONSUMER, *failpoints.PRODUCER], actions, broker=broker)
        try:
            report = chaos_run(chaos, within=_ROUND, done_within=90)
        except TimeoutError as error:
            report = RunReport(wrong=[str(error)])
    total.rounds += 1
    total.add(report, chaos)
    if report.wrong:
        total.bad.append(f"seed {seed}")
        show(f"round with FAULTS_SEED={seed} failed, see {folder}:\n" + "\n".join(line[:3000] for line in report.wrong))
    else:
        shutil.rmtree(folder)
    show(total.row())


def _write(row: str) -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert _MARK in text, f"{PAGE} has no mark for these rows"
    table, _, rest = text.partition(_MARK)
    PAGE.write_text(f"{table.rstrip()}\n{row}\n{_MARK}{rest}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
