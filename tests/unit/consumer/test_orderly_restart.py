"""An orderly restart repeats nothing that was done, whatever is open: the ledger with the real text of a commit.

The worker takes what fits, up to its window, and any of it may be done when the positions are committed for the last time.
"""

from __future__ import annotations

from itertools import accumulate
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.partitions.ledger import Ledger
from shared import commit_metadata
from shared.transport.kafka.transport import KafkaTransport
from shared.transport.port import Position
from shared.transport.sqlite.transport import SqliteTransport

KAFKA = KafkaTransport.metadata_limit
SQLITE = SqliteTransport.metadata_limit

gaps = st.sampled_from([1, 1, 2, 7, 40, 1_000, 1_000_000])
windows = st.sampled_from([1, 5, 100, 1_000, 10_000, 100_000])


class Life:
    """One process: takes from where it is in the log, and knows what a ledger ought to know."""

    def __init__(self, log: list[int], done: set[int], committed: Position, limit: int | None) -> None:
        self.unread = [offset for offset in log if offset >= committed.offset]
        self.unread.reverse()
        self.done = done
        self.limit = limit
        self.ledger = Ledger(committed, limit)
        self.open: list[int] = []
        self.refused = False

    def take(self, window: int) -> None:
        while self.unread and len(self.open) < window:
            if not self.ledger.fits(self.unread[-1]):
                self.refused = True
                break
            offset = self.unread.pop()
            taken = self.ledger.take(offset)
            assert taken == (offset not in self.done), "repeated, or dropped"
            if taken:
                self.open.append(offset)

    def finish(self, share: float, chance: Random) -> None:
        over = {offset for offset in self.open if chance.random() < share}
        for offset in over:
            self.ledger.done(offset)
        self.done |= over
        self.open = [offset for offset in self.open if offset not in over]

    def commit(self) -> Position:
        position = self.ledger.committable
        assert self.limit is None or len(position.metadata) <= self.limit
        return position


@given(
    limit=st.sampled_from([KAFKA, KAFKA, KAFKA, SQLITE]),
    log=st.lists(st.tuples(gaps, st.sampled_from([1, 30, 900, 5_000])), min_size=1, max_size=8),
    lives=st.lists(
        st.lists(st.tuples(windows, st.sampled_from([0.0, 0.01, 0.3, 0.5, 0.95, 1.0])), min_size=1, max_size=4),
        min_size=1,
        max_size=4,
    ),
    chance=st.integers(0, 2**32).map(Random),  # one that draws from hypothesis has no room for so many
    gone=st.sampled_from([0.0, 0.0, 0.5]),
)
def test_after_an_orderly_restart_nothing_that_was_done_is_taken_again(
    limit: int | None, log: list[tuple[int, int]], lives: list[list[tuple[int, float]]], chance: Random, gone: float
) -> None:
    offsets = list(accumulate((gap for gap, count in log for _ in range(count)), initial=0))
    done: set[int] = set()
    committed = Position(0)
    for steps in lives:
        life = Life(offsets, done, committed, limit)
        for window, share in steps:
            life.take(window)
            life.finish(share, chance)
            committed = life.commit()
        retention = int(len(offsets) * gone * chance.random())
        done.update(offsets[:retention])
        del offsets[:retention]
    last = Life(offsets, done, committed, limit)
    while last.unread:  # whatever was held goes on
        before = len(last.unread)
        last.take(1_000)
        last.finish(1.0, chance)
        assert len(last.unread) < before
    assert last.commit() == Position(max(last.ledger.position, committed.offset))
    assert not offsets or last.ledger.position == offsets[-1] + 1


@given(st.lists(st.tuples(gaps, st.sampled_from([1, 30, 900])), min_size=1, max_size=8), st.integers(0, 2**32).map(Random))
def test_no_more_is_held_back_than_what_may_not_fit(log: list[tuple[int, int]], chance: Random) -> None:
    ledger = Ledger(Position(0), KAFKA)
    taken: list[int] = []
    for offset in accumulate((gap for gap, count in log for _ in range(count)), initial=0):
        if not ledger.fits(offset):
            longest = sum(map(commit_metadata.cost, commit_metadata.distances([*taken, offset, offset + 1])))
            assert commit_metadata.MARGIN + longest > KAFKA
            break
        ledger.take(offset)
        taken.append(offset)
        if chance.random() < 0.1:
            ledger.done(taken.pop(chance.randrange(len(taken))))


@pytest.mark.parametrize(("gap", "count"), [(1, 2_040), (16, 1_360), (255, 1_360), (1_000_000, 680)])
def test_so_many_open_events_fit_as_the_documents_say(gap: int, count: int) -> None:
    ledger = Ledger(Position(0), KAFKA)
    for offset in range(0, count * gap, gap):
        assert ledger.fits(offset)
        ledger.take(offset)


def test_what_an_earlier_release_left_open_beyond_the_limit_is_taken_and_blocks_nothing() -> None:
    """10,000 in a row took seven characters; only some of them done, they would take thousands."""
    before = Ledger(Position(0))
    for offset in range(10_100):
        before.take(offset)
    for offset in range(10_000, 10_100):
        before.done(offset)
    ledger = Ledger(before.committable, KAFKA)
    assert all(ledger.fits(offset) and ledger.take(offset) for offset in range(10_000))
    assert not any(ledger.take(offset) for offset in range(10_000, 10_100))
    assert not ledger.fits(10_100)
    for offset in range(9_000):
        ledger.done(offset)
    assert ledger.fits(10_100)


def test_records_that_are_gone_leave_their_room_to_the_next() -> None:
    before = Ledger(Position(0))
    for offset in range(10_100):
        before.take(offset)
    before.done(10_099)
    ledger = Ledger(before.committable, KAFKA)
    assert ledger.fits(20_000)  # the retention took everything before it
    assert ledger.take(20_000)
    assert ledger.position == 20_000
