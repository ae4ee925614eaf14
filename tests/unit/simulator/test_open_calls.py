"""Counting open calls."""

from __future__ import annotations

from simulator.open_calls import GIVEN_UP_GRACE_NS, OpenCalls


def test_calls_that_overlap_are_counted_and_those_that_touch_are_not() -> None:
    calls = OpenCalls()
    first, second = calls.begin(0), calls.begin(5)
    assert calls.now == 2
    calls.end(first, 10, given_up=False)
    calls.begin(10)
    calls.end(second, 20, given_up=False)
    assert (calls.now, calls.peak()) == (1, 2)


def test_a_call_that_is_given_up_ends_a_little_before_its_end_is_seen() -> None:
    calls = OpenCalls()
    first = calls.begin(0)
    calls.begin(100 * GIVEN_UP_GRACE_NS)
    calls.end(first, 100 * GIVEN_UP_GRACE_NS + 1, given_up=True)
    assert calls.peak() == 1


def test_nothing_was_ever_open() -> None:
    assert OpenCalls().peak() == 0
