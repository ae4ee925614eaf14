"""What a stage that keeps events may rely on: they count in the window, can be skipped, and go with their partition."""

from __future__ import annotations

import pytest

from consumer.partitions.partition import Delivery
from consumer.scheduling.stage import Stage
from consumer.webhook import Attempt
from tests.unit.consumer.manual import DispatcherSetup, ManualLoop


class Keeping(Stage):
    """Keeps each event until `release` is called."""

    kept: dict[str, Delivery]

    def enter(self, head: Delivery) -> None:
        self.kept = {**getattr(self, "kept", {}), head.log_id: head}

    def release(self, log_id: str) -> None:
        self.ready(self.kept.pop(log_id))

    def remove(self, delivery: Delivery) -> bool:
        return self.kept.pop(delivery.log_id, None) is not None

    def drop_leaving(self) -> None:
        self.kept = {log_id: one for log_id, one in self.kept.items() if one.partition.live}


@pytest.fixture
def setup(loop: ManualLoop) -> DispatcherSetup:
    return DispatcherSetup(loop, calls=5, stage=Keeping)


def stage_of(setup: DispatcherSetup) -> Keeping:
    assert isinstance(setup.dispatcher._stage, Keeping)
    return setup.dispatcher._stage


def sent(setup: DispatcherSetup) -> list[str]:
    setup.loop.settle(setup.dispatcher.launch)
    return [call.log_id for call in setup.webhook.open]


def test_an_event_counts_in_the_window_and_its_key_waits_while_it_is_in_the_stage(setup: DispatcherSetup) -> None:
    first = setup.take(0, "a")
    setup.take(0, "b", key=b"a")
    assert sent(setup) == []
    assert setup.window.taken == 2
    assert list(stage_of(setup).kept) == ["a"]
    stage_of(setup).release("a")
    assert sent(setup) == ["a"]
    setup.loop.settle(lambda: setup.webhook.respond(first, Attempt(200)))
    assert list(stage_of(setup).kept) == ["b"]


def test_a_retry_does_not_pass_the_stage_again(setup: DispatcherSetup) -> None:
    event = setup.take(0, "a")
    stage_of(setup).release("a")
    assert sent(setup) == ["a"]
    setup.loop.settle(lambda: setup.webhook.respond(event, Attempt(500)))
    setup.loop.now += 8.1
    setup.loop.settle()
    assert list(setup.webhook.open) == [event]


def test_an_event_in_the_stage_can_be_skipped_and_a_skip_that_is_withdrawn_puts_it_back(setup: DispatcherSetup) -> None:
    event = setup.take(0, "a")
    setup.loop.settle(lambda: setup.dispatcher.skip(event))
    assert stage_of(setup).kept == {}
    assert setup.dispatcher.keep(event)
    assert list(stage_of(setup).kept) == ["a"]
    setup.loop.settle(lambda: setup.dispatcher.skip(event))
    setup.loop.settle(lambda: setup.dispatcher.set_aside(event, "skipped by kim: it"))
    assert list(setup.dead_letters.open) == ["a"]


def test_events_in_the_stage_go_with_their_partition(setup: DispatcherSetup) -> None:
    setup.take(0, "a")
    setup.take(1, "b")
    setup.window.retire([0])
    setup.loop.settle(setup.dispatcher.drop_leaving)
    assert list(stage_of(setup).kept) == ["b"]
