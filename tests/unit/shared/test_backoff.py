from __future__ import annotations

from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from shared.backoff import Backoff, Doubling

seconds = st.floats(0.001, 10_000)
jitters = st.floats(0, 1, exclude_max=True)
attempts = st.integers(1, 10**9)


@given(seconds, seconds, attempts, jitters)
def test_a_delay_lies_between_nothing_and_the_cap(base: float, cap: float, attempt: int, jitter: float) -> None:
    assert 0 <= Backoff(base=base, cap=cap).delay(attempt, jitter) <= cap


@given(seconds, seconds, st.integers(1, 10**6))
def test_ceilings_double_until_the_cap(base: float, cap: float, attempt: int) -> None:
    backoff = Backoff(base=base, cap=cap)
    assert backoff.ceiling(attempt + 1) == min(cap, 2 * backoff.ceiling(attempt)) or backoff.ceiling(attempt) == cap


def test_the_default_schedule_is_the_documented_one() -> None:
    backoff = Backoff(base=1, cap=300)
    assert [backoff.ceiling(n) for n in range(1, 12)] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]


def test_a_busy_receiver_gets_four_times_as_long() -> None:
    backoff = Backoff(base=1, cap=300)
    assert [backoff.ceiling(n, busy=True) for n in range(1, 10)] == [4, 8, 16, 32, 64, 128, 256, 300, 300]


@given(seconds, seconds, attempts, jitters, st.floats(0, 1e9), st.booleans())
def test_retry_after_is_a_floor_below_the_cap(
    base: float, cap: float, attempt: int, jitter: float, asked: float, busy: bool
) -> None:
    delay = Backoff(base=base, cap=cap).delay(attempt, jitter, busy=busy, retry_after=asked)
    assert min(asked, cap) <= delay <= cap


def test_pauses_double_from_the_first_to_the_longest() -> None:
    assert list(islice(Doubling(0.5, 5), 6)) == [0.5, 1, 2, 4, 5, 5]


@given(attempts)
def test_no_number_of_failures_is_too_many_for_a_pause(failures: int) -> None:
    assert 1 <= Doubling(1, 60).after(failures) <= 60
