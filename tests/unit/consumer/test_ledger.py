"""The ledger against a model that remembers everything."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from consumer.ledger import Ledger


class LedgerMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger(10)
        self.taken: list[int] = []
        self.done: set[int] = set()

    @rule(hole=st.integers(0, 5))
    def take(self, hole: int) -> None:
        offset = (self.taken[-1] + 1 if self.taken else 10) + hole
        self.ledger.take(offset)
        self.taken.append(offset)

    @precondition(lambda self: set(self.taken) - self.done)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        offset = data.draw(st.sampled_from(sorted(set(self.taken) - self.done)))
        self.ledger.done(offset)
        self.done.add(offset)

    @invariant()
    def everything_below_the_position_is_done(self) -> None:
        assert all(offset in self.done for offset in self.taken if offset < self.ledger.position)

    @invariant()
    def the_position_is_as_far_as_it_can_be(self) -> None:
        undone = [offset for offset in self.taken if offset not in self.done]
        assert self.ledger.position == (undone[0] if undone else (self.taken[-1] + 1 if self.taken else 10))
        assert self.ledger.open == len(undone)

    @invariant()
    def what_is_done_beyond_is_counted(self) -> None:
        beyond = sum(offset > self.ledger.position for offset in self.done)
        assert self.ledger.beyond >= beyond  # holes count as done
        if self.taken == list(range(10, 10 + len(self.taken))):
            assert self.ledger.beyond == beyond


TestLedger = LedgerMachine.TestCase
TestLedger.settings = settings(max_examples=300, stateful_step_count=50, deadline=None)


@given(st.lists(st.integers(0, 50), min_size=1, unique=True))
def test_the_position_reaches_the_end_in_whatever_order_things_finish(order: list[int]) -> None:
    ledger = Ledger(0)
    for offset in sorted(order):
        ledger.take(offset)
    positions = []
    for offset in order:
        ledger.done(offset)
        positions.append(ledger.position)
    assert positions == sorted(positions)
    assert positions[-1] == max(order) + 1


def test_an_offset_that_does_not_ascend_is_refused() -> None:
    ledger = Ledger(5)
    ledger.take(7)
    for offset in (4, 7):
        with pytest.raises(ValueError, match=f"offset {offset}"):
            ledger.take(offset)


def test_an_offset_is_done_once() -> None:
    ledger = Ledger(0)
    ledger.take(0)
    ledger.done(0)
    with pytest.raises(KeyError):
        ledger.done(0)
