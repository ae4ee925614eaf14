from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.partitions.partition import Delivery
from consumer.partitions.window import Window
from shared.record import Record
from shared.transport.port import Position

WINDOW = 1000
MOST = 200


class WindowSetup:
    """Partitions whose events stay open until they are done, filled as the worker fills them."""

    def __init__(
        self, partitions: int, size: int = WINDOW, most: int = MOST, *, most_bytes: int = 10**9, value: bytes = b"{}"
    ) -> None:
        self.announced = 0
        self.value = value
        self.window = Window(size, most=most, most_bytes=most_bytes, on_room=self._announce)
        self.next = dict.fromkeys(range(partitions), 0)
        self.waiting: dict[int, list[Delivery]] = {number: [] for number in range(partitions)}
        for number in range(partitions):
            self.window.add(number, Position(0))

    def _announce(self) -> None:
        self.announced += 1

    def poll(self, *backlogs: int) -> int:
        """One poll of partitions with unlimited records. Returns how many came."""
        held = set(self.window.full())
        source = next((number for number in backlogs if number not in held), None)
        return 0 if source is None else self.take(source, self.window.limit)

    def take(self, partition: int, count: int) -> int:
        owned = self.window.owned[partition]
        for _ in range(count):
            offset = self.next[partition]
            self.next[partition] += 1
            delivery = Delivery(owned, Record(offset, b"", self.value, (), 0.0), str(offset), offset)
            assert owned.ledger.take(offset)
            owned.add(delivery)
            assert owned.key_queues.enter(offset, delivery)
            self.waiting[partition].append(delivery)
        return count

    def fill(self, *backlogs: int) -> None:
        while self.poll(*backlogs):
            pass

    def finish(self, partition: int, count: int) -> None:
        for _ in range(count):
            delivery = self.waiting[partition].pop()
            delivery.partition.complete(delivery)


def test_one_busy_partition_gets_more_than_an_equal_part() -> None:
    setup = WindowSetup(6)
    setup.fill(0)
    assert setup.window.taken >= WINDOW // 2


def test_blocked_partitions_leave_room_for_every_other_one() -> None:
    setup = WindowSetup(6)
    for partition in range(5):
        setup.fill(partition)
    before = setup.window.taken
    setup.fill(5)
    assert setup.window.taken - before >= WINDOW // 6 // 2


def test_a_poll_brings_no_more_than_a_partition_s_part() -> None:
    assert WindowSetup(6).window.limit == WINDOW // 2 // 6
    assert WindowSetup(1).window.limit == MOST


def test_nothing_is_held_while_the_pool_lasts() -> None:
    setup = WindowSetup(6)
    setup.take(3, 2 * (WINDOW // 2 // 6))
    assert not setup.window.full()


def test_the_pool_opens_again_when_half_of_it_is_free() -> None:
    setup = WindowSetup(1)
    setup.fill(0)
    assert setup.window.full()
    setup.finish(0, 10)
    assert setup.window.full()
    setup.finish(0, 200)
    assert not setup.window.full()


def test_a_partition_whose_records_wait_for_room_in_a_commit_is_held_and_another_look_is_announced() -> None:
    setup = WindowSetup(1)
    setup.take(0, 80)
    assert not setup.window.full()
    setup.window.owned[0].parked = [Record(80, b"", b"{}", (), 0.0)]
    assert set(setup.window.full()) == {0}
    assert setup.window.room == WINDOW - 81
    setup.finish(0, 9)
    assert not setup.announced
    setup.finish(0, 1)
    assert setup.announced


def test_the_bytes_of_large_events_are_bounded_and_leave_room_for_every_partition() -> None:
    setup = WindowSetup(6, most_bytes=60_000, value=b"x" * 1_000)
    setup.take(0, 1)  # the first poll of all cannot know how large they are
    setup.fill(0)
    assert 55_000 <= setup.window.bytes <= 61_000
    setup.fill(5)
    assert setup.window.owned[5].bytes >= 5_000
    assert setup.window.full() == {0, 5}
    assert not setup.announced
    setup.finish(0, 1)
    assert setup.announced
    setup.finish(0, 10)
    assert not setup.window.full()


@settings(max_examples=settings().max_examples // 2)  # up to thirty rounds each
@given(
    partitions=st.integers(1, 20),
    window=st.integers(1, 300),
    most=st.integers(1, 200),
    most_bytes=st.sampled_from([1, 30, 300, 10**9]),
    data=st.data(),
)
def test_the_window_is_never_exceeded_and_easing_is_always_announced(
    partitions: int, window: int, most: int, most_bytes: int, data: st.DataObject
) -> None:
    setup = WindowSetup(partitions, window, most, most_bytes=most_bytes)
    for _ in range(data.draw(st.integers(1, 30))):
        setup.poll(*data.draw(st.permutations(range(partitions))))
        assert setup.window.taken <= window
        assert setup.window.bytes <= most_bytes * 3 // 2 + 2 * (most + partitions), "half of it in parts, one poll, an event each"
        assert setup.window.bytes == sum(one.size for owned in setup.window.owned.values() for one in owned.pending.values())
        held = set(setup.window.full())
        setup.announced = 0
        for partition in data.draw(st.permutations(range(partitions))):
            setup.finish(partition, data.draw(st.integers(0, len(setup.waiting[partition]))))
        if len(held) == partitions and not setup.announced:
            assert set(setup.window.full()) == held


def test_what_ends_while_a_commit_is_under_way_is_not_stored_by_it() -> None:
    setup = WindowSetup(1)
    setup.take(0, 10)
    setup.finish(0, 4)
    under_way = setup.window.snapshot()
    setup.finish(0, 3)
    setup.window.committed(under_way)
    assert setup.window.uncommitted == 3


def test_a_partition_that_left_is_not_held_any_more() -> None:
    setup = WindowSetup(2)
    setup.fill(0, 1)
    setup.window.drop(setup.window.retire([0]))
    assert 0 not in setup.window.full()
    assert setup.announced == 1
