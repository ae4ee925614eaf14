"""A storm from its first fault to its verdict, and what every storm has to answer for."""

from __future__ import annotations

from tests.faults.oracle import judge
from tests.faults.storm import Storm
from tests.faults.verdict import Verdict, say


def weather(storm: Storm, *, within: float, calm_within: float = 60.0) -> Verdict:
    """Raises TimeoutError if the storm does not get through its decks, or nothing of what is left comes to its end any more."""
    world = storm.world
    say(f"FAULTS_SEED={world.seed}")
    storm.rage(within)
    seconds = storm.calm(calm_within)
    world.stop_all()
    verdict = judge(world, storm.disturbances)
    say(f"{verdict}\nhappened: {dict(storm.happened)}; all done {seconds:.1f} s after the last fault")
    missed = {point for point in storm.points if verdict.killed_at[point] < storm.points.count(point)}
    verdict.demand(not missed, f"nobody was killed at {missed}")
    return verdict
