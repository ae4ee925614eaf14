"""The breaker against what it promises, in any order of events."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from consumer.breaker import Breaker, State

SHARE = 8


class BreakerMachine(RuleBasedStateMachine):
    """Calls start only when it allows them, and end in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.breaker = Breaker(failures=3, probe_interval=5, longest=60)
        self.open: dict[str, bool] = {}  # call → started as a probe
        self.count = 0
        self.failed_in_a_row: set[str] = set()

    @rule(seconds=st.floats(0, 100))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: len(self.open) < SHARE and self.breaker.allows(len(self.open), self.now))
    @rule()
    def start(self) -> None:
        self.count += 1
        probe = self.breaker.state is State.OPEN
        self.breaker.sent(str(self.count))
        self.open[str(self.count)] = probe
        assert not probe or self.breaker.state is State.HALF_OPEN

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def succeed(self, data: st.DataObject) -> None:
        self.open.pop(data.draw(st.sampled_from(sorted(self.open))))
        self.breaker.succeeded(SHARE)
        self.failed_in_a_row.clear()
        assert self.breaker.state is State.CLOSED

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        call = data.draw(st.sampled_from(sorted(self.open)))
        probe, before = self.open.pop(call), self.breaker.state
        spent = self.breaker.failed(call, self.now)
        assert spent == (before is State.CLOSED)
        assert not (probe and before is State.HALF_OPEN and self.breaker.state is not State.OPEN)
        if before is State.CLOSED:
            self.failed_in_a_row.add(call)
            assert (self.breaker.state is State.OPEN) == (len(self.failed_in_a_row) >= 3)
        if self.breaker.state is not State.CLOSED:
            self.failed_in_a_row.clear()

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def break_off(self, data: st.DataObject) -> None:
        call = data.draw(st.sampled_from(sorted(self.open)))
        self.open.pop(call)
        self.breaker.given_up(call, self.now)

    @invariant()
    def at_most_one_probe_is_under_way(self) -> None:
        if self.breaker.state is State.HALF_OPEN:
            assert any(self.open.values())
            assert not self.breaker.allows(0, self.now + 1e9)

    @invariant()
    def it_never_waits_longer_than_the_longest(self) -> None:
        assert self.breaker.state is not State.OPEN or self.breaker.allows(0, self.now + 60)


TestBreaker = BreakerMachine.TestCase


@given(st.integers(1, 1000))
def test_one_poison_event_never_opens_it(times: int) -> None:
    breaker = Breaker(failures=2, probe_interval=5, longest=60)
    assert all(breaker.failed("poison", 0.0) for _ in range(times))
    assert breaker.state is State.CLOSED


def test_probes_come_at_doubling_intervals_up_to_the_longest() -> None:
    breaker, now, waits = Breaker(failures=1, probe_interval=5, longest=60), 0.0, []
    breaker.failed("first", now)
    for probe in range(6):
        waits.append(breaker.probe_at - now)
        now = breaker.probe_at
        assert breaker.allows(0, now)
        breaker.sent(str(probe))
        breaker.failed(str(probe), now)
    assert waits == [5, 10, 20, 40, 60, 60]


def test_it_comes_back_gently() -> None:
    breaker = Breaker(failures=1, probe_interval=5, longest=60)
    breaker.failed("a", 0.0)
    breaker.sent("b")
    allowed = []
    for _ in range(5):
        breaker.succeeded(SHARE)
        allowed.append(next(calls for calls in range(1, 100) if calls >= SHARE or not breaker.allows(calls, 5.0)))
    assert allowed == [1, 2, 4, 8, 8]
