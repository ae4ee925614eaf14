"""Runs a `Chaos` from its first fault to its report, and checks what every run has to fulfil."""

from __future__ import annotations

from tests.faults.chaos import Chaos
from tests.faults.oracle import examine
from tests.faults.report import RunReport, show


def chaos_run(chaos: Chaos, *, within: float, done_within: float = 60.0) -> RunReport:
    """Raises TimeoutError if the decks are not empty in time, or if no event is completed for `done_within` seconds."""
    stack = chaos.stack
    show(f"FAULTS_SEED={stack.seed}")
    chaos.cause_faults(within)
    seconds = chaos.wait_until_done(done_within)
    stack.stop_all()
    report = examine(stack, chaos.disturbances)
    show(f"{report}\nhappened: {dict(chaos.happened)}; all done {seconds:.1f} s after the last fault")
    missed = {point for point in chaos.points if report.killed_at[point] < chaos.points.count(point)}
    report.require(not missed, f"no process was killed at {missed}")
    return report
