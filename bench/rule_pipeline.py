"""Rules in the pipeline: what they add to one event, and to a CPU second, against the same consumer without rules.

With one user and one call, an event follows when the one before it is delivered: the time from one request to the next is what an
event takes, its chain included. The conditions take turns, and what a rule adds is the difference within a round.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from bench.events import events
from bench.logs import SqliteLog
from bench.measure import Measurement, Span, consumer
from bench.receiver import receiver_process
from bench.rules import HTTP, TRIVIAL

OFF: Final = "rules off"
_CONDITIONS: Final[Mapping[str, str]] = {OFF: "", "a trivial rule": TRIVIAL, "a rule with one HTTP call": HTTP}
#: Events a second that no consumer with one call reaches; and none with 50 calls of 20 ms.
_FASTEST_ALONE: Final = 6_000
_FASTEST: Final = 2_600
CALLS: Final = 50
LATENCY: Final = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineFigures:
    """One condition: medians over the rounds."""

    condition: str
    #: 1-minute load average when the first round began.
    load: float
    #: Milliseconds from one event to the next of one user: median, 99th percentile, and what the median is above `rules off`.
    p50: float
    p99: float
    added: float
    #: Many users, 50 calls of 20 ms: events a second, the share of what is possible, µs of CPU an event in all processes.
    rate: float
    share: float
    cpu: float


def measure(folder: Path, rounds: int, seconds: float) -> list[PipelineFigures]:
    """Returns the figures of each condition, `rules off` first."""
    load = os.getloadavg()[0]
    one_user = SqliteLog(folder, events(round(_FASTEST_ALONE * (seconds + 4)), users=1, logins=True))
    many = SqliteLog(folder, events(round(_FASTEST * (seconds + 4)), logins=True))
    (folder / "called").mkdir()
    with receiver_process(0.0, folder / "called") as called:
        settings = {name: _settings(folder / f"rules-{number}", called.url, source) for number, (name, source) in _numbered()}
        span = Span(warm=2, long=seconds)
        alone: dict[str, list[Measurement]] = {name: [] for name in _CONDITIONS}
        together: dict[str, list[Measurement]] = {name: [] for name in _CONDITIONS}
        for _ in range(rounds):
            for name, more in settings.items():
                alone[name].append(consumer(one_user, folder, concurrency=1, latency=0.0, span=span, replicas=1, **more))
            for name, more in settings.items():
                together[name].append(consumer(many, folder, concurrency=CALLS, latency=LATENCY, span=span, replicas=1, **more))
    return [_figures(name, load, alone[name], alone[OFF], together[name]) for name in _CONDITIONS]


def _numbered() -> Sequence[tuple[int, tuple[str, str]]]:
    return list(enumerate(_CONDITIONS.items()))


def _settings(folder: Path, url: str, source: str) -> Mapping[str, str]:
    if not source:
        return {}
    folder.mkdir()
    (folder / "measured.js").write_text(source)
    configuration = folder.with_suffix(".env")
    configuration.write_text(f"url={url}\n")
    return {"RULES_DIR": str(folder), "RULES_CONFIGURATION": str(configuration), "RULES_FETCH_USER": "false"}


def _figures(
    name: str, load: float, alone: Sequence[Measurement], off: Sequence[Measurement], together: Sequence[Measurement]
) -> PipelineFigures:
    return PipelineFigures(
        condition=name,
        load=load,
        p50=1000 * median(one.between[0] for one in alone),
        p99=1000 * median(one.between[1] for one in alone),
        added=1000 * median(one.between[0] - without.between[0] for one, without in zip(alone, off, strict=True)),
        rate=median(one.rate for one in together),
        share=median(one.share(CALLS) for one in together),
        cpu=median(one.cpu_per_call for one in together),
    )
