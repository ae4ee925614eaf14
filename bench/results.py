"""What the benchmarks found, as it is kept in `results.json`; medians where there were several rounds."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple, Self

from bench.measure import Sample
from bench.scenarios import Backlog, Delays


class Cell(NamedTuple):
    """One condition. `who`: `kafka` and `sqlite` are the whole consumer, `own` and `aiohttp` clients without a log."""

    who: str
    replicas: int
    concurrency: int
    #: Seconds.
    latency: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One cell, the median of each figure over its rounds."""

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
    #: The least and the most of it.
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
    #: What was measured.
    commit: str = ""
    #: 1-minute load average at the start of each round: what else ran beside.
    load: list[float] = field(default_factory=list)
    #: Microseconds of CPU of one call by wrk, each round.
    wrk: list[float] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    #: Share of one user → what the rate was and what the share of concurrency ÷ latency.
    hot: list[tuple[float, float, float]] = field(default_factory=list)
    backlogs: dict[str, Backlog] = field(default_factory=dict)
    idle: dict[str, float] = field(default_factory=dict)
    visible: dict[str, Delays] = field(default_factory=dict)

    @property
    def unit(self) -> float | None:
        """The CPU of one call by wrk, in µs."""
        return median(self.wrk) if self.wrk else None

    def row(self, cell: Cell) -> Row | None:
        return next((row for row in self.rows if (row.who, row.replicas, row.concurrency, row.latency) == cell), None)

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> Self:
        fields: dict[str, Any] = json.loads(path.read_text())
        fields["rows"] = [Row(**row) for row in fields["rows"]]
        fields["hot"] = [tuple(one) for one in fields["hot"]]
        fields["backlogs"] = {name: Backlog(**one) for name, one in fields["backlogs"].items()}
        fields["visible"] = {name: Delays(**one) for name, one in fields["visible"].items()}
        return cls(**fields)


def rows(samples: Iterable[tuple[Cell, Sample]]) -> list[Row]:
    found: dict[Cell, list[Sample]] = defaultdict(list)
    for cell, sample in samples:
        found[cell].append(sample)
    return [_row(cell, each) for cell, each in found.items()]


def _row(cell: Cell, samples: Sequence[Sample]) -> Row:
    costs = [sample.cpu_per_call for sample in samples]
    return Row(
        who=cell.who,
        replicas=cell.replicas,
        concurrency=cell.concurrency,
        latency=cell.latency,
        rounds=len(samples),
        rate=median(sample.rate for sample in samples),
        share=median(sample.share(cell.concurrency) for sample in samples),
        cpu=median(costs),
        cpu_range=(min(costs), max(costs)),
        most_open=max(sample.most_open for sample in samples),
        duplicates=sum(sample.duplicates for sample in samples),
        rss=max(sample.rss for sample in samples),
    )
