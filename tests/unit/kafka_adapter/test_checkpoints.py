"""Which records a checkpoint is made from."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.transport.kafka.topics.checkpoints import latest_of


@given(st.lists(st.integers(0, 400), max_size=400), st.integers(1, 5))
def test_the_largest_log_ids_are_kept_where_they_were_found_first(numbers: list[int], count: int) -> None:
    found = [(f"{number:03d}", (number % 3, offset)) for offset, number in enumerate(numbers)]
    first: dict[str, tuple[int, int]] = {}
    for log_id, place in found:
        first.setdefault(log_id, place)
    assert latest_of(found, count) == {log_id: first[log_id] for log_id in sorted(first)[-count:]}
