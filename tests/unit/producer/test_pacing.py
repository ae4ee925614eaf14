"""The pace against the simulated tenant's own bucket, which is as Auth0's: what is spent, what is refused, how much is used."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from producer.pacing import Pacing, RateLimit
from simulator.rate_limit import Bucket, RatePlan

FREE = RatePlan(2, 2)
PLANS = [FREE, RatePlan(50, 16), RatePlan(10, 2), RatePlan(10, 100 / 60), RatePlan(5, 1), RatePlan(1, 1)]
START = 1_000_000.0


@dataclass(slots=True)
class PacedReader:
    """Makes requests one after another, as soon as the pace allows."""

    plan: RatePlan
    pacing: Pacing = field(default_factory=lambda: Pacing(0.5))
    now: float = START
    bucket: Bucket = field(init=False)
    refused: int = 0
    spent: list[tuple[float, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.bucket = Bucket(self.plan, now=self.now)

    def request(self, *, way: float = 0.002, hurry: bool = True, late: float = 0.001) -> None:
        wait = self.pacing.wait(self.now, hurry=hurry)
        self.now += wait + (late if wait else 0.0) + way
        admission = self.bucket.take(self.now)
        # The headers have whole seconds, and so has the response's date.
        full_in = admission.reset - int(self.now)
        self.now += way
        if admission.allowed:
            limit = RateLimit(burst=self.plan.burst, remaining=admission.remaining, full_in=full_in)
            self.spent.append((self.now, admission.remaining))
            self.pacing.responded(limit, self.now)
        else:
            self.refused += 1
            self.pacing.refused(self.now)

    def run(self, seconds: float, **how: float) -> None:
        end = self.now + seconds
        while self.now < end:
            self.request(**how)  # type: ignore[arg-type]


@pytest.mark.parametrize("plan", PLANS, ids=str)
@settings(max_examples=settings().max_examples // 4)  # for each plan; one is a minute of requests
@given(way=st.floats(0, 0.03), late=st.floats(0, 0.02), phase=st.floats(0, 1))
def test_a_catch_up_is_never_refused_nor_warned_and_uses_what_is_allowed(
    plan: RatePlan, way: float, late: float, phase: float
) -> None:
    reader = PacedReader(plan, now=START + phase)
    reader.run(20, way=way, late=late)  # the burst is spent, and the rate is learned
    before, since = len(reader.spent), reader.now
    reader.run(60 if plan.per_second < 10 else 20, way=way, late=late)  # hundreds of requests are enough
    assert reader.refused == 0
    if plan.burst >= 5:
        assert min(remaining for _, remaining in reader.spent) >= plan.burst * 0.2
    if plan.burst > 1:
        possible = min(plan.per_second, 1 / (2 * way)) if way else plan.per_second
        assert len(reader.spent) - before >= 0.95 * possible * (reader.now - since) - 1


@pytest.mark.parametrize("plan", PLANS, ids=str)
@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_without_hurry_no_more_than_the_share_is_spent(plan: RatePlan, share: float) -> None:
    reader = PacedReader(plan, pacing=Pacing(share))
    reader.run(60, hurry=False)
    assert reader.refused == 0
    assert min(remaining for _, remaining in reader.spent) >= min(plan.burst * (1 - share), plan.burst - 1)


@pytest.mark.parametrize("plan", PLANS, ids=str)
@settings(max_examples=settings().max_examples // 4)
@given(phase=st.floats(0, 1))
def test_the_second_request_of_a_start_waits_no_longer_than_until_the_burst_is_whole_again(plan: RatePlan, phase: float) -> None:
    """On the smallest plan it waited for 30 s: nothing was learned of the rate, and one request was to stay unspent."""
    reader = PacedReader(plan, now=START + phase)
    reader.request(hurry=False)
    assert reader.pacing.wait(reader.now, hurry=False) <= 1 / plan.per_second + 2  # whole seconds, in the headers and the date
    reader.run(20)
    assert reader.refused == 0


@given(plan=st.builds(RatePlan, st.integers(1, 100), st.floats(0.1, 50)), others=st.lists(st.floats(0, 2), max_size=30))
def test_other_clients_slow_us_down_and_requests_go_on(plan: RatePlan, others: list[float]) -> None:
    reader = PacedReader(plan)
    for pause in others:
        reader.request()
        reader.now += pause
        reader.bucket.take(reader.now)
    before, end = len(reader.spent), reader.now + 120
    while reader.now < end and len(reader.spent) < before + 3:
        reader.request()
    assert len(reader.spent) > before


@given(
    st.lists(
        st.tuples(
            st.integers(1, 999_999_999),
            st.integers(0, 999_999_999),
            st.floats(1, 1e11) | st.none(),
            st.floats(0, 10),
            st.booleans(),
        )
    )
)
@example([(1000, 0, None, 0.0, False)])
@example([(999_999_999, 0, 1e11, 0.0, True)])
def test_no_headers_make_it_wait_for_minutes_or_backwards(responses: list[tuple[int, int, float | None, float, bool]]) -> None:
    pacing, now = Pacing(0.5), 0.0
    for burst, remaining, full_in, pause, hurry in responses:
        now += pause
        pacing.responded(RateLimit(burst=burst, remaining=remaining, full_in=full_in), now)
        assert 0 <= pacing.wait(now, hurry=hurry) <= 30.001


def test_without_headers_a_429_slows_down_and_success_makes_it_quick_again() -> None:
    pacing, now, waits = Pacing(0.5), 0.0, []
    assert pacing.wait(now, hurry=True) == 0
    for _ in range(9):
        pacing.refused(now)
        waits.append(pacing.wait(now, hurry=True))
        now += waits[-1]
    assert waits == [0.25, 0.5, 1, 2, 4, 8, 16, 30, 30]
    for _ in range(80):
        pacing.responded(None, now)
    assert pacing.wait(now, hurry=True) == 0


def test_a_changed_plan_is_learned() -> None:
    reader = PacedReader(RatePlan(50, 16))
    reader.run(20)
    reader.plan, reader.bucket = FREE, Bucket(FREE, now=reader.now)
    reader.run(20)
    before, since = len(reader.spent), reader.now
    reader.run(30)
    assert len(reader.spent) - before >= 0.95 * 2 * (reader.now - since) - 1
