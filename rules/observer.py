"""What rules do, as the pipeline tells it. Metrics are a `RulesObserver`."""

from __future__ import annotations

from rules.outcome import ChainRun


class RulesObserver:
    """An observer overrides the methods that it needs; the others do nothing. It is called in the event loop, and must neither
    raise nor wait."""

    def chain_ended(self, run: ChainRun, seconds: float) -> None:
        """Once for each chain that has an outcome: those that run again too, not those that were cancelled.

        `seconds`: of all of it, the request for the user included.
        """
