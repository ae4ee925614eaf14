"""What offsets say of an event is what a consumer would do with it after a restart."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from admin.actions.looking.where import undone, was_read
from admin.actions.looking.wording import age, counted
from consumer.partitions.ledger import Ledger
from shared.transport.port import Checkpoint, Position, Progress


@given(st.integers(0, 50), st.lists(st.booleans(), max_size=60), st.integers(0, 20))
def test_an_offset_is_undone_exactly_if_the_next_owner_of_the_partition_takes_it(
    start: int, done: list[bool], untaken: int
) -> None:
    ledger = Ledger(Position(start))
    for number, _ in enumerate(done):
        ledger.take(start + number)
    for number, is_done in enumerate(done):
        if is_done:
            ledger.done(start + number)
    committed, end = ledger.committable, start + len(done) + untaken
    following, found = Ledger(committed), undone(Progress(begin=0, end=end, committed=committed))
    for offset in range(end):
        takes = offset >= committed.offset and following.take(offset)
        assert found(offset) == takes


@given(st.integers(0, 99), st.text(max_size=9))
def test_without_a_position_of_ours_nothing_beyond_it_counts_as_done(offset: int, metadata: str) -> None:
    foreign = undone(Progress(begin=0, end=99, committed=Position(50, metadata)))
    assert foreign(offset) == (offset >= 50)
    assert undone(Progress(begin=0, end=99, committed=None))(offset)


def test_an_id_was_read_up_to_the_checkpoint_and_not_beyond() -> None:
    assert was_read("9001", Checkpoint(log_id="9001"))
    assert not was_read("9002", Checkpoint(log_id="9001"))
    assert not was_read("9001", Checkpoint(log_id=""))
    assert not was_read("9001", None)


@given(st.floats(-9, 1e9))
def test_an_age_is_a_number_of_the_largest_unit_that_it_fills(seconds: float) -> None:
    number, unit = age(seconds).split()
    size = {"s": 1, "min": 60, "h": 3600, "d": 86400}[unit]
    assert int(number) * size <= max(0.0, seconds) < (int(number) + 1) * size
    assert unit == "s" or int(number) >= 1


def test_counts_have_their_noun() -> None:
    assert (counted(1, "consumer"), counted(4120, "event"), counted(0, "gap")) == ("1 consumer", "4,120 events", "0 gaps")
