"""The ledger against a model that remembers everything."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from consumer.partitions.ledger import Ledger
from shared.transport.port import Position


class LedgerMachine(RuleBasedStateMachine):
    """Take, finish, crash: a new ledger goes on from the last commit, and the log gives everything again from there.

    What the retention removes was open, or done, or was never read.
    """

    def __init__(self) -> None:
        super().__init__()
        self.log: list[int] = []
        self.end = 10
        self.done: set[int] = set()
        self.committed = Position(10)
        self.done_at_commit: set[int] = set()
        self.restart()

    def restart(self) -> None:
        self.ledger = Ledger(self.committed)
        self.open: set[int] = set()
        self.unread = [offset for offset in self.log if offset >= self.committed.offset]
        self.done = set(self.done_at_commit)

    @rule(holes=st.lists(st.integers(0, 5), min_size=1, max_size=8))
    def publish(self, holes: list[int]) -> None:
        for hole in holes:
            self.log.append(self.end + hole)
            self.unread.append(self.log[-1])
            self.end = self.log[-1] + 1

    @precondition(lambda self: self.unread)
    @rule(count=st.integers(1, 10))
    def take(self, count: int) -> None:
        for offset in self.unread[:count]:
            taken = self.ledger.take(offset)
            assert taken == (offset not in self.done)
            if taken:
                self.open.add(offset)
        del self.unread[:count]

    @precondition(lambda self: self.log)
    @rule(count=st.integers(1, 5))
    def retention(self, count: int) -> None:
        del self.log[:count]
        self.unread = [offset for offset in self.unread if offset in self.log]

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        offset = data.draw(st.sampled_from(sorted(self.open)))
        self.ledger.done(offset)
        self.open.remove(offset)
        self.done.add(offset)

    @rule()
    def commit(self) -> None:
        self.committed = self.ledger.committable
        self.done_at_commit = set(self.done)

    @rule()
    def crash(self) -> None:
        self.restart()

    @invariant()
    def everything_below_the_position_is_done(self) -> None:
        assert all(offset in self.done for offset in self.log if offset < self.ledger.position)
        assert self.ledger.committable.offset == self.ledger.position

    @invariant()
    def the_position_is_as_far_as_it_can_be(self) -> None:
        undone = [offset for offset in self.log if offset not in self.done and offset not in self.unread]
        assert not undone or self.ledger.position <= undone[0]
        assert self.ledger.open == len(self.open)

    @invariant()
    def what_is_done_beyond_is_counted(self) -> None:
        assert self.ledger.beyond >= 0


TestLedger = LedgerMachine.TestCase


@given(st.lists(st.integers(0, 50), min_size=1, unique=True))
def test_the_position_reaches_the_end_in_whatever_order_things_finish(order: list[int]) -> None:
    ledger = Ledger(Position(0))
    for offset in sorted(order):
        ledger.take(offset)
    positions = []
    for offset in order:
        ledger.done(offset)
        positions.append(ledger.position)
    assert positions == sorted(positions)
    assert ledger.committable == Position(max(order) + 1)


def test_a_record_that_is_gone_from_the_log_blocks_nothing() -> None:
    before = Ledger(Position(0))
    for offset in range(10):
        before.take(offset)
    for offset in (1, 2, 3, 5, 6, 7, 8, 9):
        before.done(offset)
    after = Ledger(before.committable)
    assert (after.position, after.beyond) == (0, 8)
    assert after.take(4)  # 0 was removed by the retention
    after.done(4)
    assert after.committable == Position(10)


def test_damaged_metadata_is_ignored_and_everything_is_taken_again() -> None:
    ledger = Ledger(Position(5, "another program's"))
    assert ledger.foreign_metadata
    assert all(ledger.take(offset) for offset in range(5, 9))


def test_an_offset_that_does_not_ascend_is_refused() -> None:
    ledger = Ledger(Position(5))
    ledger.take(7)
    for offset in (4, 7):
        with pytest.raises(ValueError, match=f"offset {offset}"):
            ledger.take(offset)


def test_an_offset_is_done_once() -> None:
    ledger = Ledger(Position(0))
    ledger.take(0)
    ledger.done(0)
    with pytest.raises(KeyError):
        ledger.done(0)
