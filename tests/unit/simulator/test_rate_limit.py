"""The token bucket."""

from __future__ import annotations

from simulator.rate_limit import Bucket, RatePlan


def test_a_burst_then_the_steady_rate() -> None:
    bucket = Bucket(RatePlan(2, 0.5), now=100.0)
    admissions = [bucket.take(now) for now in (100.0, 100.0, 100.0, 101.9, 102.0)]
    assert [admission.allowed for admission in admissions] == [True, True, False, False, True]
    assert [admission.remaining for admission in admissions] == [1, 0, 0, 0, 0]


def test_reset_is_when_the_bucket_is_full_again() -> None:
    bucket = Bucket(RatePlan(10, 2.0), now=100.0)
    assert [bucket.take(100.0).reset for _ in range(4)] == [101, 101, 102, 102]


def test_the_wait_is_until_one_request_is_possible() -> None:
    bucket = Bucket(RatePlan(1, 0.25), now=0.0)
    assert bucket.take(0.0).allowed
    assert bucket.take(1.0).wait == 3.0


def test_a_clock_that_goes_back_gives_nothing() -> None:
    bucket = Bucket(RatePlan(1, 1.0), now=10.0)
    bucket.take(10.0)
    assert not bucket.take(5.0).allowed
