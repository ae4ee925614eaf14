"""The results of the benchmarks, medians over the rounds. The names of the fields are the keys in `results.json`."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple, Self

from bench.catch_up import CatchUpFigures, PlanFigures, SpeedFigures
from bench.measure import Measurement
from bench.rule_pipeline import PipelineFigures
from bench.rules import RuleFigures
from bench.scenarios import Backlog, Delays


class Cell(NamedTuple):
    """One condition. `who`: `kafka` and `sqlite` are the whole consumer, `own` and `aiohttp` clients without a log."""

    who: str
    replicas: int
    concurrency: int
    #: Seconds.
    latency: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultRow:
    """One cell: the median of each figure over its rounds."""

    who: str
    replicas: int
    concurrency: int
    latency: float
    rounds: int
    #: Events a second.
    rate: float
    share: float
    #: Microseconds of CPU an event.
    cpu: float
    #: Its minimum and maximum.
    cpu_range: tuple[float, float]
    most_open: int
    duplicates: int
    #: MB, of the largest process.
    rss: float


@dataclass(slots=True, kw_only=True)
class Results:
    machine: str
    date: str
    command: str
    #: The commit that was measured.
    commit: str = ""
    #: 1-minute load average at the start of each round: shows what else was running.
    load: list[float] = field(default_factory=list)
    #: Microseconds of CPU of one call by wrk, each round.
    wrk: list[float] = field(default_factory=list)
    rows: list[ResultRow] = field(default_factory=list)
    #: Part of the events that one user has, the rate, and the share of concurrency ÷ latency.
    hot: list[tuple[float, float, float]] = field(default_factory=list)
    backlogs: dict[str, Backlog] = field(default_factory=dict)
    idle: dict[str, float] = field(default_factory=dict)
    visible: dict[str, Delays] = field(default_factory=dict)
    rules: list[RuleFigures] = field(default_factory=list)
    pipeline: list[PipelineFigures] = field(default_factory=list)
    catch_up: CatchUpFigures | None = None

    @property
    def unit(self) -> float | None:
        """The CPU of one call by wrk, in µs."""
        return median(self.wrk) if self.wrk else None

    def row(self, cell: Cell) -> ResultRow | None:
        return next((row for row in self.rows if (row.who, row.replicas, row.concurrency, row.latency) == cell), None)

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> Self:
        fields: dict[str, Any] = json.loads(path.read_text())
        fields["rows"] = [ResultRow(**row) for row in fields["rows"]]
        fields["hot"] = [tuple(one) for one in fields["hot"]]
        fields["backlogs"] = {name: Backlog(**one) for name, one in fields["backlogs"].items()}
        fields["visible"] = {name: Delays(**one) for name, one in fields["visible"].items()}
        fields["rules"] = [RuleFigures(**one) for one in fields.get("rules", [])]
        fields["pipeline"] = [PipelineFigures(**one) for one in fields.get("pipeline", [])]
        if found := fields.get("catch_up"):
            found["plans"] = [PlanFigures(**one) for one in found["plans"]]
            found["unlimited"] = {name: SpeedFigures(**one) for name, one in found["unlimited"].items()}
            fields["catch_up"] = CatchUpFigures(**found)
        return cls(**fields)


def rows(measurements: Iterable[tuple[Cell, Measurement]]) -> list[ResultRow]:
    found: dict[Cell, list[Measurement]] = defaultdict(list)
    for cell, measurement in measurements:
        found[cell].append(measurement)
    return [_row(cell, each) for cell, each in found.items()]


def _row(cell: Cell, measurements: Sequence[Measurement]) -> ResultRow:
    costs = [measurement.cpu_per_call for measurement in measurements]
    return ResultRow(
        who=cell.who,
        replicas=cell.replicas,
        concurrency=cell.concurrency,
        latency=cell.latency,
        rounds=len(measurements),
        rate=median(measurement.rate for measurement in measurements),
        share=median(measurement.share(cell.concurrency) for measurement in measurements),
        cpu=median(costs),
        cpu_range=(min(costs), max(costs)),
        most_open=max(measurement.most_open for measurement in measurements),
        duplicates=sum(measurement.duplicates for measurement in measurements),
        rss=max(measurement.rss for measurement in measurements),
    )
