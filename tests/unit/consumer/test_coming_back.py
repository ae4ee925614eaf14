"""How the dispatcher comes back after an outage: what waited goes at once, but for what the receiver asked to wait."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from consumer.webhook import Attempt
from tests.unit.consumer.worked_by_hand import Loop, World

pytestmark = pytest.mark.usefixtures("without_a_log")


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.end()


def test_what_waited_goes_as_soon_as_the_breaker_closes(loop: Loop) -> None:
    world = World(loop, calls=2, failures=2)
    waiting = [world.take(0, "a"), world.take(0, "b")]
    loop.settle(world.dispatcher.launch)
    for event in waiting:
        loop.settle(partial(world.wire.land, event, Attempt(500)))  # tried again in 8 s
    probe = world.take(0, "c")
    loop.now += 5.1
    loop.settle()
    assert list(world.wire.open) == [probe]
    loop.settle(lambda: world.wire.land(probe, Attempt(200)))
    assert list(world.wire.open) == waiting[:1]


def test_what_the_receiver_asked_to_wait_does_not_go_when_the_breaker_closes(loop: Loop) -> None:
    world = World(loop, calls=3, failures=2)
    first, second, asked = (world.take(0, log_id) for log_id in "abc")
    loop.settle(world.dispatcher.launch)
    for event in (first, second):
        loop.settle(partial(world.wire.land, event, Attempt(500)))
    probe = world.take(0, "d")
    loop.now += 5.1
    loop.settle()
    assert probe in world.wire.open
    loop.settle(lambda: world.wire.land(asked, Attempt(503, retry_after=6.0)))
    loop.settle(lambda: world.wire.land(probe, Attempt(200)))
    loop.settle(lambda: world.wire.land(first, Attempt(200)))
    assert list(world.wire.open) == [second]
    loop.now += 6.1
    loop.settle()
    assert asked in world.wire.open
