"""Order per key: the queues against a list for each key."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from consumer.partitions.key_queues import KeyQueues


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=60))
def test_items_of_a_key_go_one_at_a_time_in_their_order(steps: list[tuple[str, bool]]) -> None:
    queues: KeyQueues[str, int] = KeyQueues()
    entered: dict[str, list[int]] = {key: [] for key in "abc"}
    gone: dict[str, list[int]] = {key: [] for key in "abc"}
    under_way: dict[str, int | None] = dict.fromkeys("abc")

    def leave(key: str) -> None:
        under_way[key] = queues.leave(key)
        if (item := under_way[key]) is not None:
            gone[key].append(item)

    for number, (key, enter) in enumerate(steps):
        if enter:
            entered[key].append(number)
            if queues.enter(key, number):
                assert under_way[key] is None
                under_way[key] = number
                gone[key].append(number)
        elif under_way[key] is not None:
            leave(key)
    for key in "abc":
        while under_way[key] is not None:
            leave(key)
    assert gone == entered
