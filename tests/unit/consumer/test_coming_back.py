"""How the dispatcher comes back after an outage: what waited goes at once, but for what the receiver asked to wait."""

from __future__ import annotations

from functools import partial

import pytest

from consumer.webhook import Attempt
from tests.unit.consumer.manual import DispatcherSetup, ManualLoop

pytestmark = pytest.mark.usefixtures("without_a_log")


def test_what_waited_goes_as_soon_as_the_breaker_closes(loop: ManualLoop) -> None:
    setup = DispatcherSetup(loop, calls=2, failures=2)
    waiting = [setup.take(0, "a"), setup.take(0, "b")]
    loop.settle(setup.dispatcher.launch)
    for event in waiting:
        loop.settle(partial(setup.webhook.respond, event, Attempt(500)))  # tried again in 8 s
    probe = setup.take(0, "c")
    loop.now += 5.1
    loop.settle()
    assert list(setup.webhook.open) == [probe]
    loop.settle(lambda: setup.webhook.respond(probe, Attempt(200)))
    assert list(setup.webhook.open) == waiting[:1]


def test_what_the_receiver_asked_to_wait_does_not_go_when_the_breaker_closes(loop: ManualLoop) -> None:
    setup = DispatcherSetup(loop, calls=3, failures=2)
    first, second, asked = (setup.take(0, log_id) for log_id in "abc")
    loop.settle(setup.dispatcher.launch)
    for event in (first, second):
        loop.settle(partial(setup.webhook.respond, event, Attempt(500)))
    probe = setup.take(0, "d")
    loop.now += 5.1
    loop.settle()
    assert probe in setup.webhook.open
    loop.settle(lambda: setup.webhook.respond(asked, Attempt(503, retry_after=6.0)))
    loop.settle(lambda: setup.webhook.respond(probe, Attempt(200)))
    loop.settle(lambda: setup.webhook.respond(first, Attempt(200)))
    assert list(setup.webhook.open) == [second]
    loop.now += 6.1
    loop.settle()
    assert asked in setup.webhook.open
