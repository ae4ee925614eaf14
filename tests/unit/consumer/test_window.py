from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from consumer.delivery import Delivery
from consumer.partitions.window import Holdings
from shared.record import Record
from shared.transport.port import Position

WINDOW = 1000
MOST = 200


class World:
    """Partitions whose events stay open until they are done, filled as the worker fills them."""

    def __init__(self, partitions: int, window: int = WINDOW, most: int = MOST) -> None:
        self.eased = 0
        self.holdings = Holdings(window, most=most, eased=self._ease)
        self.next = dict.fromkeys(range(partitions), 0)
        self.waiting: dict[int, list[Delivery]] = {number: [] for number in range(partitions)}
        for number in range(partitions):
            self.holdings.add(number, Position(0))

    def _ease(self) -> None:
        self.eased += 1

    def poll(self, *backlogs: int) -> int:
        """One poll of partitions that have all that anybody may want; answers how many came."""
        held = set(self.holdings.full())
        source = next((number for number in backlogs if number not in held), None)
        return 0 if source is None else self.take(source, self.holdings.limit)

    def take(self, partition: int, count: int) -> int:
        assignment = self.holdings.owned[partition]
        for _ in range(count):
            offset = self.next[partition]
            self.next[partition] += 1
            delivery = Delivery(assignment, Record(offset, b"", b"{}", (), 0.0), str(offset), offset)
            assert assignment.ledger.take(offset)
            assignment.pending[offset] = delivery
            assert assignment.lanes.enter(offset, delivery)
            self.waiting[partition].append(delivery)
        return count

    def fill(self, *backlogs: int) -> None:
        while self.poll(*backlogs):
            pass

    def finish(self, partition: int, count: int) -> None:
        for _ in range(count):
            delivery = self.waiting[partition].pop()
            delivery.assignment.done(delivery)


def test_one_busy_partition_gets_more_than_an_equal_part() -> None:
    world = World(6)
    world.fill(0)
    assert world.holdings.taken >= WINDOW // 2


def test_blocked_partitions_leave_room_for_every_other_one() -> None:
    world = World(6)
    for partition in range(5):
        world.fill(partition)
    before = world.holdings.taken
    world.fill(5)
    assert world.holdings.taken - before >= WINDOW // 6 // 2


def test_a_poll_brings_no_more_than_a_partition_s_part() -> None:
    assert World(6).holdings.limit == WINDOW // 2 // 6
    assert World(1).holdings.limit == MOST


def test_nothing_is_held_while_the_pool_lasts() -> None:
    world = World(6)
    world.take(3, 2 * (WINDOW // 2 // 6))
    assert not world.holdings.full()


def test_the_pool_opens_again_when_half_of_it_is_free() -> None:
    world = World(1)
    world.fill(0)
    assert world.holdings.full()
    world.finish(0, 10)
    assert world.holdings.full()
    world.finish(0, 200)
    assert not world.holdings.full()


def test_a_partition_whose_records_wait_for_room_in_a_commit_is_held_and_another_look_is_announced() -> None:
    world = World(1)
    world.take(0, 80)
    assert not world.holdings.full()
    world.holdings.owned[0].parked = [Record(80, b"", b"{}", (), 0.0)]
    assert set(world.holdings.full()) == {0}
    assert world.holdings.room == WINDOW - 81
    world.finish(0, 9)
    assert not world.eased
    world.finish(0, 1)
    assert world.eased


@given(partitions=st.integers(1, 20), window=st.integers(1, 300), most=st.integers(1, 200), data=st.data())
def test_the_window_is_never_exceeded_and_easing_is_always_announced(
    partitions: int, window: int, most: int, data: st.DataObject
) -> None:
    world = World(partitions, window, most)
    for _ in range(data.draw(st.integers(1, 30))):
        world.poll(*data.draw(st.permutations(range(partitions))))
        assert world.holdings.taken <= window
        held = set(world.holdings.full())
        world.eased = 0
        for partition in data.draw(st.permutations(range(partitions))):
            world.finish(partition, data.draw(st.integers(0, len(world.waiting[partition]))))
        if len(held) == partitions and not world.eased:
            assert set(world.holdings.full()) == held


def test_what_ends_while_a_commit_is_under_way_is_not_stored_by_it() -> None:
    world = World(1)
    world.take(0, 10)
    world.finish(0, 4)
    under_way = world.holdings.snapshot()
    world.finish(0, 3)
    world.holdings.stored(under_way)
    assert world.holdings.unstored == 3


def test_a_partition_that_left_is_not_held_any_more() -> None:
    world = World(2)
    world.fill(0, 1)
    world.holdings.drop(world.holdings.retire([0]))
    assert 0 not in world.holdings.full()
    assert world.eased == 1
