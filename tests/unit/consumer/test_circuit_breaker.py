"""The breaker against what it promises, in any order of events."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from consumer.scheduling.circuit_breaker import Breaker, BreakerState
from consumer.webhook import Call

SHARE = 8


def _call(number: int) -> Call:
    return Call(str(number), b"")


class BreakerMachine(RuleBasedStateMachine):
    """Calls start only when it allows them, and end in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.breaker = Breaker(failures=3, probe_interval=5, longest=60)
        self.open: dict[Call, bool] = {}  # call → started as a probe
        self.count = 0
        self.failed_in_a_row: set[Call] = set()
        #: The open calls that began since it last opened.
        self.current: set[Call] = set()
        #: How many of them may be open; None: any number.
        self.ramp: int | None = None
        #: The latest moment that the receiver asked for since the last success.
        self.floor = 0.0

    @rule(seconds=st.floats(0, 100))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: len(self.open) < SHARE and self.breaker.allows(self.now))
    @rule()
    def start(self) -> None:
        self.count += 1
        call, probe = _call(self.count), self.breaker.state is BreakerState.OPEN
        self.breaker.sent(call)
        self.open[call] = probe
        self.current.add(call)
        assert not probe or (self.breaker.state is BreakerState.HALF_OPEN and self.now >= self.floor)

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def succeed(self, data: st.DataObject) -> None:
        before, call = self.breaker.state, self.end(data)
        self.breaker.succeeded(call, SHARE)
        if before is not BreakerState.CLOSED:
            self.ramp = 1
        elif self.ramp:
            self.ramp = self.ramp * 2 if self.ramp * 2 < SHARE else None
        self.failed_in_a_row.clear()
        self.floor = 0.0
        assert self.breaker.state is BreakerState.CLOSED

    @precondition(lambda self: self.open)
    @rule(data=st.data(), asked=st.sampled_from([0.0, 0.0, 3.0, 30.0, 300.0]))
    def fail(self, data: st.DataObject, asked: float) -> None:
        before, current = self.breaker.state, set(self.current)
        call = self.end(data)
        if asked:
            self.floor = max(self.floor, self.now + asked)
        spent = self.breaker.failed(call, self.now, not_before=self.now + asked if asked else 0.0)
        counts = before is BreakerState.CLOSED and call in current
        assert spent == counts, "what began before an outage says nothing about its event"
        if spent:
            self.failed_in_a_row.add(call)
            assert (self.breaker.state is BreakerState.OPEN) == (len(self.failed_in_a_row) >= 3)
        elif call in current:
            assert self.breaker.state is BreakerState.OPEN, "its probe failed"
        else:
            assert self.breaker.state is before
        if call in current and self.breaker.state is BreakerState.OPEN:
            self.failed_in_a_row.clear()
            self.current.clear()

    def end(self, data: st.DataObject) -> Call:
        call = data.draw(st.sampled_from(list(self.open)))
        self.open.pop(call)
        self.current.discard(call)
        return call

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def break_off(self, data: st.DataObject) -> None:
        self.breaker.cancelled(self.end(data), self.now)

    @invariant()
    def at_most_one_probe_is_under_way(self) -> None:
        if self.breaker.state is BreakerState.HALF_OPEN:
            assert len(self.current) == 1
            assert not self.breaker.allows(self.now + 1e9)

    @invariant()
    def it_never_waits_longer_than_the_longest_or_than_it_was_asked_to(self) -> None:
        if self.breaker.state is BreakerState.OPEN:
            assert not self.breaker.allows(self.floor - 0.001)
            assert self.breaker.allows(max(self.now + 60, self.floor))

    @invariant()
    def calls_from_before_an_outage_take_no_part_of_what_is_allowed_after_it(self) -> None:
        if self.breaker.state is BreakerState.CLOSED:
            assert self.breaker.allows(self.now) == (self.ramp is None or len(self.current) < self.ramp)


TestBreaker = BreakerMachine.TestCase


@given(st.integers(1, 1000))
def test_one_poison_event_never_opens_it(times: int) -> None:
    breaker = Breaker(failures=2, probe_interval=5, longest=60)
    for _ in range(times):
        call = Call("poison", b"")
        breaker.sent(call)
        assert breaker.failed(call, 0.0)
    assert breaker.state is BreakerState.CLOSED


def test_probes_come_at_doubling_intervals_up_to_the_longest() -> None:
    breaker, now, waits = Breaker(failures=1, probe_interval=5, longest=60), 0.0, []
    breaker.sent(call := _call(0))
    breaker.failed(call, now)
    for probe in map(_call, range(6)):
        waits.append(breaker.probe_at - now)
        now = breaker.probe_at
        assert breaker.allows(now)
        breaker.sent(probe)
        breaker.failed(probe, now)
    assert waits == [5, 10, 20, 40, 60, 60]


def test_it_comes_back_gently() -> None:
    breaker = Breaker(failures=1, probe_interval=5, longest=60)
    hanging = [_call(number) for number in range(SHARE - 1)]  # from before, until their timeout
    for call in (*hanging, failing := _call(100)):
        breaker.sent(call)
    breaker.failed(failing, 0.0)
    breaker.sent(last := _call(101))
    allowed = []
    for _ in range(5):
        breaker.succeeded(last, SHARE)
        fresh: list[Call] = []
        while len(fresh) < SHARE and breaker.allows(5.0):
            fresh.append(_call(200 + len(fresh)))
            breaker.sent(fresh[-1])
        allowed.append(len(fresh))
        last, *others = fresh
        for call in others:
            breaker.cancelled(call, 5.0)
    assert allowed == [1, 2, 4, 8, 8]
    assert not any(breaker.failed(call, 30.0) for call in hanging), "their timeouts spend no attempts"
    assert breaker.state is BreakerState.CLOSED


def test_a_probe_waits_for_what_the_receiver_asked_for() -> None:
    breaker = Breaker(failures=2, probe_interval=5, longest=60)
    first, second, late = map(_call, range(3))
    for call in (first, second, late):
        breaker.sent(call)
    breaker.failed(first, 0.0, not_before=120.0)
    breaker.failed(second, 1.0)
    assert breaker.probe_at == 120.0
    breaker.failed(late, 2.0, not_before=130.0)
    assert breaker.probe_at == 130.0
