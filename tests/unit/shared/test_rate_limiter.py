from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from math import floor

from hypothesis import given
from hypothesis import strategies as st

from shared.rate_limiter import RateLimiter
from shared.transport.kafka.group.assignor import shares

LIMIT = 10  # WEBHOOK_CONCURRENT_CALLS, of which the shares are parts

rates = st.one_of(st.floats(0.1, 200), st.integers(1, 200).map(float))
#: An arbitrary time of asking, or the very moment that was named before.
pauses = st.lists(st.one_of(st.just(0.0), st.floats(0, 2), st.floats(0, 0.05)), min_size=1, max_size=300)


def _most_in_a_second(begun: Sequence[float]) -> int:
    """In any second, wherever it begins; both of its ends count."""
    ordered = sorted(begun)
    return max((last + 1 - bisect_left(ordered, at - 1.0) for last, at in enumerate(ordered)), default=0)


def _ask(limiter: RateLimiter, now: float, *, patient: bool) -> float | None:
    """When a call began: now, or, of one that waits as it is told to, when it may."""
    while wait := limiter.wait(now):
        if not patient:
            return None
        now += wait
    limiter.started(now)
    return now


@given(rate=rates, pauses=pauses, patient=st.booleans())
def test_no_second_sees_more_calls_than_the_rate_allows(rate: float, pauses: list[float], *, patient: bool) -> None:
    limiter, now, begun = RateLimiter(), 100.0, list[float]()
    limiter.set_rate(rate, now)
    for pause in pauses:
        now += pause
        at = _ask(limiter, now, patient=patient)
        if at is not None:
            now = at
            begun.append(at)
    assert _most_in_a_second(begun) <= max(1, floor(rate))
    if rate < 1:
        assert all(later - earlier >= 1 / rate for earlier, later in pairwise(begun))


@given(
    st.integers(1, 40).map(lambda times: float(LIMIT * times)),
    st.lists(st.tuples(st.floats(0, 1.5), st.dictionaries(st.sampled_from("abc"), st.integers(0, 4))), min_size=1, max_size=12),
    st.data(),
)
def test_no_second_sees_more_calls_of_a_group_whose_parts_move(
    rate: float, moves: list[tuple[float, dict[str, int]]], data: st.DataObject
) -> None:
    """A member that takes over a part does not know what the one before it has just called; new members come, and old ones go."""
    limiters, now, begun = {name: RateLimiter() for name in "abc"}, 100.0, list[float]()
    for seconds, owned in moves:
        parts = shares(owned, limit=LIMIT)
        for name, limiter in limiters.items():
            limiter.set_rate(rate * parts.get(name, 0) / LIMIT, now)
        end = now + seconds
        step = data.draw(st.sampled_from([0.003, 0.02, 0.3]))
        while now < end:
            for limiter in limiters.values():
                while (at := _ask(limiter, now, patient=False)) is not None:
                    begun.append(at)
            now += step
    assert _most_in_a_second(begun) <= rate


@given(st.integers(1, 200), st.integers(1, 200))
def test_a_part_that_grows_hands_out_no_burst(small: int, more: int) -> None:
    limiter, now = RateLimiter(), 100.0
    limiter.set_rate(float(small), now)
    for _ in range(2 * small):
        begun = _ask(limiter, now, patient=True)
        assert begun is not None
        now = begun
    limiter.set_rate(float(small + more), now)
    at_once = 0
    while not limiter.wait(now + 5.0):
        limiter.started(now + 5.0)
        at_once += 1
    assert at_once <= 1 + 0.02 * (small + more)


@given(st.integers(1, 1000), st.floats(0, 0.015))
def test_a_timer_that_fires_late_costs_next_to_nothing(rate: int, late: float) -> None:
    limiter, now, begun = RateLimiter(), 100.0, 0
    limiter.set_rate(float(rate), now)
    while limiter.wait(now):
        now += limiter.wait(now)
    began = now
    while now < began + 10.0:
        if wait := limiter.wait(now):
            now += wait + late
        else:
            limiter.started(now)
            begun += 1
    assert begun >= 0.9 * rate * 10
