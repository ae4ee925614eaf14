"""Dead letters that the log does not take, with a clock that only the test moves."""

from __future__ import annotations

from consumer.dead_letters import DeadLetterWriter
from consumer.observer import ConsumerObserver
from consumer.partitions.partition import Delivery, Partition
from shared.record import Record
from shared.transport.port import Position, Table
from tests.unit.consumer.manual import ManualDeadLetters, ManualLoop


def test_a_letter_that_is_refused_is_written_again_after_pauses_that_double_up_to_half_a_minute(loop: ManualLoop) -> None:
    written_letters, written = ManualDeadLetters(), list[Delivery]()

    async def letters() -> Table:
        return written_letters

    writer = DeadLetterWriter(letters, written.append, ConsumerObserver())
    delivery = Delivery(Partition(0, Position(0)), Record(0, b"k", b"{}", [], 0.0), "id", b"k")
    loop.settle(lambda: writer.write(delivery, "refused"))
    pauses = []
    for _ in range(8):
        began = loop.now
        loop.settle(lambda: written_letters.refuse("id"))
        while not written_letters.open:
            loop.now += 0.5
            loop.settle()
        pauses.append(loop.now - began)
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]
    assert not written
    loop.settle(lambda: written_letters.acknowledge("id"))
    assert written == [delivery]
    loop.run_until_complete(writer.close())
