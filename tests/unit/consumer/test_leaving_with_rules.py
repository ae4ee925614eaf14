"""A partition goes while rules run on its events: they have until the drain timeout, and what they say later changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from consumer.policy import Policy
from consumer.scheduling.circuit_breaker import Breaker
from consumer.webhook import Attempt
from consumer.worker import Worker
from shared.backoff import Backoff
from shared.documents import desired
from shared.event_rules import RulesFailure, RulesResult
from shared.record import Record
from shared.transport.port import PartitionRecords, Position
from shared.words import OnError
from tests.unit.consumer.manual import ManualLoop, ManualRules, ManualTransport, ManualWebhook

pytestmark = pytest.mark.usefixtures("without_a_log")

DONE = RulesResult(member=b"{}")
FAILED = [
    RulesResult(member=b"{}", failure=RulesFailure(on_error=on_error, reason="no"))
    for on_error in (OnError.HOLD, OnError.DEAD_LETTER)
]
DRAIN = 10.0


class LeavingSetup:
    """Partition 0 has two events of one user, for which rules run; partition 1 has one of another user."""

    def __init__(self, loop: ManualLoop) -> None:
        self.loop = loop
        self.rules = ManualRules()
        self.webhook = ManualWebhook(lambda call: None)
        self.transport = ManualTransport(lambda limit, paused: [], lambda positions: True)
        self.worker = Worker(
            webhook=self.webhook,
            policy=Policy(backoff=Backoff(base=1.0, cap=8.0)),
            breaker=Breaker(failures=1_000, probe_interval=5, longest=20),
            window=100,
            commit_interval=1.0,
            drain_timeout=DRAIN,
            rules=self.rules,
            clock=loop.time,
        )
        self.worker._session = 2 * DRAIN
        self.worker._transport = self.transport
        loop.settle(self._begin)

    def _begin(self) -> None:
        self.worker.share(5)
        for number, log_ids in {0: "ab", 1: "c"}.items():
            self.worker.assigned(number, Position(0))
            headers = [[("v", b"1"), ("log-id", one.encode()), ("rule", b"")] for one in log_ids]
            records = [Record(offset, b"%d" % number, b"{}", one, 0.0) for offset, one in enumerate(headers)]
            self.worker._accept(PartitionRecords(number, records))
        self.worker._dispatcher.launch()

    def revoke(self) -> asyncio.Task[Mapping[int, Position]]:
        revoking: list[asyncio.Task[Mapping[int, Position]]] = []
        self.loop.settle(lambda: revoking.append(self.loop.create_task(self.worker.revoked([0]))))
        return revoking[0]

    def end(self, log_id: str, result: RulesResult) -> None:
        self.loop.settle(lambda: self.rules.end(log_id, result))

    def respond(self, status: int) -> None:
        (call,) = self.webhook.open
        self.loop.settle(lambda: self.webhook.respond(call, Attempt(status)))

    def passes(self, seconds: float) -> None:
        self.loop.now += seconds
        self.loop.settle()

    @property
    def sent(self) -> list[str]:
        return [call.log_id for call in self.webhook.open]

    @property
    def running(self) -> list[str]:
        return list(self.rules.open)


@pytest.fixture
def setup(loop: ManualLoop) -> LeavingSetup:
    setup = LeavingSetup(loop)
    assert setup.running == ["a", "c"]
    return setup


def test_rules_that_end_in_time_are_followed_by_the_call_of_their_event_and_nothing_new_begins(setup: LeavingSetup) -> None:
    revoking = setup.revoke()
    setup.passes(DRAIN / 2)
    setup.end("a", DONE)
    assert (setup.sent, revoking.done()) == (["a"], False)
    setup.respond(200)
    assert revoking.result()[0].offset == 1
    assert (setup.sent, setup.running) == ([], ["c"])


def test_rules_that_are_too_slow_are_broken_off_and_run_again_at_the_next_owner(setup: LeavingSetup) -> None:
    revoking = setup.revoke()
    setup.passes(DRAIN + 0.1)
    assert revoking.result()[0].offset == 0
    assert (setup.sent, setup.running) == ([], ["c"])


def test_an_event_whose_call_fails_after_its_rules_is_the_next_owner_s(setup: LeavingSetup) -> None:
    revoking = setup.revoke()
    setup.end("a", DONE)
    setup.respond(500)
    assert revoking.result()[0].offset == 0


@pytest.mark.parametrize("result", FAILED)
def test_rules_that_fail_meanwhile_are_the_next_owner_s(setup: LeavingSetup, result: RulesResult) -> None:
    revoking = setup.revoke()
    setup.end("a", result)
    assert revoking.result()[0].offset == 0
    setup.passes(60.0)
    assert (setup.sent, setup.running, setup.transport.letters.open) == ([], ["c"], {})


@pytest.mark.parametrize("before", [True, False])
def test_while_delivery_is_paused_no_partition_waits_for_rules(setup: LeavingSetup, *, before: bool) -> None:
    """Nothing could come of it, and a whole group waits for the drain."""
    if before:
        pause(setup)
    revoking = setup.revoke()
    assert revoking.done() is before
    if not before:
        pause(setup)
    assert revoking.result()[0].offset == 0


def pause(setup: LeavingSetup) -> None:
    paused = desired.DesiredDelivery.new(paused=True, by="ada", why="migration", now=1.0)
    setup.loop.create_task(setup.worker.desired.read(setup.transport.letters, {desired.KEY: paused.encode()}))
    setup.loop.settle()


@pytest.mark.parametrize("ticks", [None, 0, 1, 2, 3])
def test_what_rules_say_of_an_event_whose_partition_is_lost_changes_nothing(setup: LeavingSetup, ticks: int | None) -> None:
    """Long after it, or so that the result is on its way to the event at that moment."""

    async def lose() -> None:
        for _ in range(ticks or 0):
            if "a" in setup.rules.open and not setup.rules.open["a"].done():
                setup.rules.end("a", DONE)
            await asyncio.sleep(0)
        setup.worker.lost([0])

    setup.loop.run_until_complete(lose())
    setup.loop.settle()
    assert setup.running == ["c"]
    assert setup.sent == []
