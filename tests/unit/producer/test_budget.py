"""Requests beside the poller, several at once, against the simulated tenant's own bucket: what they leave, and what they use."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from producer.auth0.budget import RequestBudget, SharedPacing, Turn
from producer.pacing import RateLimit
from simulator.rate_limit import Bucket, RatePlan

PLANS = [RatePlan(2, 2), RatePlan(50, 16), RatePlan(10, 2), RatePlan(40, 500 / 60), RatePlan(10, 2.5), RatePlan(1, 1)]
START = 1_000_000.0


@dataclass(slots=True)
class CrowdedReader:
    """As many requests at once as it is let make, each with its own time on the way; some get no response."""

    plan: RatePlan
    ways: list[tuple[float, float]]
    chains: int = 50
    losses: frozenset[int] = frozenset()
    pacing: SharedPacing = field(default_factory=lambda: SharedPacing(0.5))
    now: float = START
    left: list[int] = field(default_factory=list)
    refused: int = 0
    most_at_once: int = 0

    def run(self, seconds: float) -> None:
        bucket, order, count = Bucket(self.plan, now=self.now), itertools.count(), itertools.count()
        #: When, and what happens then.
        events: list[tuple[float, int, str, Any]] = []
        ways, under_way, end = itertools.cycle(self.ways), 0, self.now + seconds
        while self.now < end:
            wait = self.pacing.wait(self.now, hurry=False) if under_way < self.chains else math.inf
            if wait <= 0:
                there, back = next(ways)
                turn = self.pacing.began()
                heapq.heappush(events, (self.now + there, next(order), "arrives", (turn, back)))
                under_way += 1
                self.most_at_once = max(self.most_at_once, under_way)
                continue
            if not events or events[0][0] > self.now + wait:
                self.now += wait + 1e-6
                continue
            self.now, _, what, about = heapq.heappop(events)
            if what == "arrives":
                turn, back = about
                admission = bucket.take(self.now)
                # The headers have whole seconds, and so has the response's date.
                full_in = max(admission.reset - int(self.now), 1)
                limit = RateLimit(burst=self.plan.burst, remaining=admission.remaining, full_in=full_in)
                self.left.append(admission.remaining)
                heapq.heappush(events, (self.now + back, next(order), "ends", (turn, limit if admission.allowed else None)))
            else:
                under_way -= 1
                self._end(next(count), *about)

    def _end(self, number: int, turn: Turn, limit: RateLimit | None) -> None:
        if limit is None:
            self.refused += 1
            self.pacing.refused(self.now, 10.0)
        elif number in self.losses:
            self.pacing.lost()
        else:
            self.pacing.responded(turn, limit, self.now)


WAYS = st.lists(st.tuples(st.floats(0.0005, 0.4), st.floats(0.0005, 0.4)), min_size=1, max_size=20)


@pytest.mark.parametrize("plan", PLANS, ids=str)
@settings(max_examples=40)
@given(ways=WAYS, phase=st.floats(0, 1), losses=st.frozensets(st.integers(1, 100), max_size=20))
def test_half_of_the_burst_is_left_however_the_requests_overlap(
    plan: RatePlan, ways: list[tuple[float, float]], phase: float, losses: frozenset[int]
) -> None:
    """Before the first response nothing is known, so that one is not lost here."""
    reader = CrowdedReader(plan, ways, losses=losses, now=START + phase)
    reader.run(10)
    assert reader.refused == 0
    assert min(reader.left) >= min(math.ceil(plan.burst / 2), plan.burst - 1)


@pytest.mark.parametrize("plan", PLANS[1:5], ids=str)
@settings(max_examples=20)
@given(ways=st.lists(st.tuples(st.floats(0.01, 0.1), st.floats(0.01, 0.1)), min_size=1, max_size=20))
def test_what_is_not_left_is_used(plan: RatePlan, ways: list[tuple[float, float]]) -> None:
    reader = CrowdedReader(plan, ways)
    reader.run(20)
    assert len(reader.left) >= 20 * plan.per_second * 0.3


def test_a_burst_goes_out_at_once_when_the_tenant_was_left_alone() -> None:
    reader = CrowdedReader(RatePlan(50, 16), [(0.05, 0.05)])
    reader.run(0.15)  # the first response is waited for: nothing is known before
    assert reader.most_at_once == 10


def test_where_the_tenant_says_nothing_ten_go_at_once_after_the_first() -> None:
    pacing = SharedPacing(0.5)
    turn = pacing.began()
    assert pacing.wait(0.0, hurry=False) > 0
    pacing.responded(turn, None, 0.0)
    for _ in range(10):
        assert pacing.wait(0.0, hurry=False) == 0
        pacing.began()
    assert pacing.wait(0.0, hurry=False) > 0


def test_a_write_may_go_where_what_is_only_asked_for_waits() -> None:
    pacing = SharedPacing(0.5)
    pacing.responded(pacing.began(), RateLimit(burst=10, remaining=5, full_in=5.0), 0.0)
    assert pacing.wait(0.0, hurry=False) > 0
    assert pacing.wait(0.0, hurry=True) == 0


async def test_a_turn_that_is_given_up_while_waiting_holds_up_no_other() -> None:
    budget = RequestBudget()
    first = await budget.turn(hurry=False)
    waiting = [asyncio.ensure_future(budget.turn(hurry=False)) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    budget.responded(first, None)
    done, _ = await asyncio.wait(waiting[1:], timeout=5)
    assert len(done) == 2


async def test_a_fetch_behind_the_reserve_does_not_hold_up_a_write() -> None:
    budget = RequestBudget()
    budget.responded(await budget.turn(hurry=False), RateLimit(burst=10, remaining=5, full_in=3600.0))
    fetch = asyncio.ensure_future(budget.turn(hurry=False))
    await asyncio.sleep(0)
    assert await asyncio.wait_for(budget.turn(hurry=True), 5)
    assert not fetch.done()
    fetch.cancel()
