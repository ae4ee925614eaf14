from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.transport.kafka.group.offsets import StartPosition, StartReason, start_position
from shared.transport.port import Position


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Position(10, "m"), StartPosition(Position(10, "m"), StartReason.COMMITTED, 10)),
        (Position(5, "m"), StartPosition(Position(5, "m"), StartReason.COMMITTED, 5)),
        (Position(20, "m"), StartPosition(Position(20, "m"), StartReason.COMMITTED, 20)),
        (None, StartPosition(Position(5), StartReason.NONE_COMMITTED, 5)),
        (Position(4, "m"), StartPosition(Position(4, "m"), StartReason.RETENTION, 5)),
        (Position(21, "m"), StartPosition(Position(5), StartReason.BEYOND_END, 5)),
    ],
)
def test_a_partition_that_holds_5_to_19_is_read_from(wanted: Position | None, expected: StartPosition) -> None:
    assert start_position(wanted, begin=5, end=20) == expected


@given(wanted=st.none() | st.integers(0, 100), begin=st.integers(0, 100), more=st.integers(0, 100))
def test_what_was_removed_unread_is_what_lies_before_the_start(wanted: int | None, begin: int, more: int) -> None:
    position = None if wanted is None else Position(wanted)
    found = start_position(position, begin=begin, end=begin + more)
    first = 0 if wanted is None else wanted
    expected = range(first, begin) if first < begin else range(0)
    assert found.removed == expected
