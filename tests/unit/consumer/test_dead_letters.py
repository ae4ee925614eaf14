"""Dead letters that the log does not take, with a clock that only the test moves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from consumer.dead_letters import Undertaker
from consumer.delivery import Delivery
from consumer.partitions.partition import Assignment
from shared.record import Record
from shared.transport.port import DeadLetters, Position
from tests.unit.consumer.worked_by_hand import Grave, Loop


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.end()


def test_a_letter_that_is_refused_is_written_again_after_pauses_that_double_up_to_half_a_minute(loop: Loop) -> None:
    grave, buried = Grave(), list[Delivery]()

    async def letters() -> DeadLetters:
        return grave

    undertaker = Undertaker(letters, buried.append)
    delivery = Delivery(Assignment(0, Position(0)), Record(0, b"k", b"{}", [], 0.0), "id", b"k")
    loop.settle(lambda: undertaker.bury(delivery, "refused"))
    pauses = []
    for _ in range(8):
        began = loop.now
        loop.settle(lambda: grave.refuse("id"))
        while not grave.open:
            loop.now += 0.5
            loop.settle()
        pauses.append(loop.now - began)
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]
    assert not buried
    loop.settle(lambda: grave.acknowledge("id"))
    assert buried == [delivery]
    loop.run_until_complete(undertaker.close())
