from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from consumer.pace import Pace


@given(st.floats(0.1, 1000), st.lists(st.floats(0, 2), min_size=1, max_size=200))
def test_no_stretch_of_time_sees_more_calls_than_the_rate_allows(rate: float, pauses: list[float]) -> None:
    pace, now, calls = Pace(rate), 100.0, []
    for pause in pauses:
        now += pause
        now += pace.wait(now)
        pace.took(now)
        calls.append(now)
    for first, begin in enumerate(calls):
        for last in range(first, len(calls)):
            assert last - first <= rate * (calls[last] - begin + 0.1) + 1.001


@given(st.lists(st.floats(0, 1), max_size=20))
def test_without_a_rate_nobody_waits(pauses: list[float]) -> None:
    pace = Pace(None)
    for pause in pauses:
        assert pace.wait(pause) == 0
        pace.took(pause)
