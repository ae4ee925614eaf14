from __future__ import annotations

import pytest

from shared.transport.kafka.group.positions import Start, Why, start
from shared.transport.port import Position


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Position(10, "m"), Start(Position(10, "m"), Why.COMMITTED, 10)),
        (Position(5, "m"), Start(Position(5, "m"), Why.COMMITTED, 5)),
        (Position(20, "m"), Start(Position(20, "m"), Why.COMMITTED, 20)),
        (None, Start(Position(5), Why.NONE_COMMITTED, 5)),
        (Position(4, "m"), Start(Position(4, "m"), Why.RETENTION, 5)),
        (Position(21, "m"), Start(Position(5), Why.BEYOND_END, 5)),
    ],
)
def test_a_partition_that_holds_5_to_19_is_read_from(wanted: Position | None, expected: Start) -> None:
    assert start(wanted, begin=5, end=20) == expected
