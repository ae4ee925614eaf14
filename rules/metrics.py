"""The numbers of rules for a scrape."""

from __future__ import annotations

from typing import Final

from rules.observer import RulesObserver
from rules.outcome import ChainRun, RuleOutcome
from shared.numbers import Histogram

#: Upper bounds in seconds: a rule that only looks takes less than a millisecond, one that calls out up to `RULES_TIMEOUT`.
_BOUNDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0)


class RulesMetrics(RulesObserver):
    """Sums since the start of this process."""

    def __init__(self) -> None:
        #: Runs of single rules, by outcome; `switched_off` counts the events that lacked such a rule.
        self.runs: dict[str, int] = dict.fromkeys(RuleOutcome, 0)
        #: Of whole chains.
        self.seconds = Histogram(_BOUNDS)

    def chain_ended(self, run: ChainRun, seconds: float) -> None:
        self.seconds.add(seconds)
        for step in run.steps:
            self.runs[step.outcome] += 1
