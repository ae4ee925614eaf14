"""Events that rules look at: what the machines seldom reach, and the bodies and letters that come of it."""

from __future__ import annotations

import pytest

from consumer.partitions.partition import Delivery
from consumer.scheduling.batch import Batching
from consumer.scheduling.stage import HeldEvent
from consumer.webhook import Attempt
from shared.event_rules import HEADER, RulesFailure, RulesResult
from shared.words import BatchForm, OnError
from tests.unit.consumer.manual import DispatcherSetup, ManualLoop, ManualRules

RULE = ("rule", b"")
DONE = RulesResult(member=b'{"decision":null}')
BODY = b'{"rules":{"decision":null}}'
HELD = RulesResult(member=b"{}", failure=RulesFailure(on_error=OnError.HOLD, reason="rule slack failed: no"))
DEAD = RulesResult(member=b"{}", failure=RulesFailure(on_error=OnError.DEAD_LETTER, reason="rule slack failed: no"))
BATCHING = Batching(form=BatchForm.ARRAY, most=4, most_bytes=1000, linger=0.0)


class RulesSetup(DispatcherSetup):
    def __init__(
        self,
        loop: ManualLoop,
        batching: Batching | None = None,
        *,
        max_attempts: int | None = None,
        calls: int = 5,
        failures: int = 1000,
    ) -> None:
        self.rules = ManualRules()
        super().__init__(loop, batching, rules=self.rules, max_attempts=max_attempts, calls=calls, failures=failures)

    def ruled(self, log_id: str, *, key: bytes | None = None, number: int = 0) -> Delivery:
        delivery = self.take(number, log_id, key=key, headers=[RULE])
        self.loop.settle(self.dispatcher.launch)
        return delivery

    def end(self, log_id: str, result: RulesResult | Exception | None = DONE) -> None:
        self.loop.settle(lambda: self.rules.end(log_id, result))

    @property
    def sent(self) -> list[str]:
        return [call.log_id for call in self.webhook.open]

    @property
    def running(self) -> list[str]:
        return list(self.rules.open)


@pytest.fixture
def setup(loop: ManualLoop) -> RulesSetup:
    return RulesSetup(loop)


def test_an_event_goes_with_what_its_rules_said_and_a_retry_says_the_same_and_runs_nothing(setup: RulesSetup) -> None:
    event = setup.ruled("a")
    assert (setup.running, setup.sent) == (["a"], [])
    setup.end("a")
    assert setup.sent == ["a"]
    setup.loop.settle(lambda: setup.webhook.respond(event, Attempt(500)))
    setup.loop.now += 8.1
    setup.loop.settle()
    assert (setup.sent, event.body, setup.rules.begun["a"]) == (["a"], BODY, 1)


def test_an_event_that_no_rule_looked_at_goes_as_it_is(setup: RulesSetup) -> None:
    event, other = setup.ruled("a"), setup.take(0, "b")
    setup.end("a", None)
    assert (setup.sent, event.body, other.body) == (["b", "a"], b"{}", b"{}")


def test_a_chain_under_way_holds_its_own_key_and_no_other(setup: RulesSetup) -> None:
    setup.ruled("a", key=b"u")
    setup.take(0, "b", key=b"u")
    setup.take(0, "c")
    setup.loop.settle(setup.dispatcher.launch)
    assert (setup.sent, setup.window.taken) == (["c"], 3)
    setup.end("a")
    assert setup.sent == ["c", "a"]


def test_what_the_rules_said_travels_with_a_dead_letter_and_from_it_into_the_next_delivery(loop: ManualLoop) -> None:
    setup = RulesSetup(loop, max_attempts=1)
    event = setup.ruled("a")
    setup.end("a")
    setup.loop.settle(lambda: setup.webhook.respond(event, Attempt(500)))
    letter = setup.dead_letters.acknowledge("a")
    assert (letter.record.value, letter.record.headers[-1]) == (b"{}", (HEADER, DONE.member))
    for consumer in (setup, DispatcherSetup(loop, calls=5)):
        again = consumer.take(1, "a", headers=letter.record.headers[5:])
        loop.settle(consumer.dispatcher.launch)
        assert (again.body, list(consumer.webhook.open), setup.rules.begun["a"]) == (BODY, [again], 1)


def test_a_letter_that_failed_rules_made_runs_them_again(setup: RulesSetup) -> None:
    setup.ruled("a")
    setup.end("a", DEAD)
    letter, _ = setup.dead_letters.open["a"]
    assert (letter.reason, letter.record.headers[-1]) == ("rule slack failed: no", RULE)


@pytest.mark.parametrize("result", [HELD, ValueError("a fault of ours")])
def test_an_event_is_held_and_its_rules_run_again_after_the_backoff_of_a_failed_call(
    setup: RulesSetup, result: RulesResult | Exception
) -> None:
    setup.ruled("a", key=b"u")
    setup.take(0, "b", key=b"u")
    setup.end("a", result)
    assert (setup.sent, setup.running) == ([], [])
    setup.loop.now += 8.1
    setup.loop.settle()
    assert setup.running == ["a"]
    setup.end("a")
    assert setup.sent == ["a"]


def test_an_event_whose_rules_are_to_run_again_says_why_also_while_they_may_not_begin(setup: RulesSetup) -> None:
    event, other = setup.ruled("a"), setup.ruled("b")
    setup.end("a", HELD)
    ((at, *_), (_, _, reason, moment)) = setup.dispatcher.stage.held()
    assert (at, reason, moment is not None) == (other, "rule slack failed: no", True)
    setup.loop.settle(lambda: setup.dispatcher.pause(paused=True))
    setup.loop.now += 8.1
    setup.loop.settle()
    assert setup.running == ["b"]
    assert list(setup.dispatcher.stage.held())[1:] == [HeldEvent(event, "", "rule slack failed: no")]


def test_no_event_goes_along_in_a_batch_whose_rules_have_not_run(loop: ManualLoop) -> None:
    setup = RulesSetup(loop, BATCHING)
    setup.take(0, "a", key=b"u")
    setup.take(0, "b", key=b"u")
    setup.ruled("c", key=b"u")
    assert (setup.sent, setup.running) == (["a+2"], [])


def test_a_skip_ends_the_rules_and_when_it_is_withdrawn_they_begin_anew(setup: RulesSetup) -> None:
    event = setup.ruled("a")
    setup.loop.settle(lambda: setup.dispatcher.skip(event))
    assert setup.running == []
    setup.loop.settle(lambda: setup.dispatcher.keep(event))
    assert setup.running == ["a"]
    setup.loop.settle(lambda: setup.dispatcher.skip(event))
    setup.loop.settle(lambda: setup.dispatcher.set_aside(event, "skipped by kim: it"))
    assert list(setup.dead_letters.open) == ["a"]


def test_the_letter_of_a_skip_says_which_rule_held_its_event(setup: RulesSetup) -> None:
    held, running = setup.ruled("a"), setup.ruled("b")
    setup.end("a", HELD)
    for event in (held, running):
        setup.loop.settle(lambda event=event: setup.dispatcher.skip(event))  # type: ignore[misc]
        setup.loop.settle(lambda event=event: setup.dispatcher.set_aside(event, "skipped by kim: it"))  # type: ignore[misc]
    reasons = {log_id: letter.reason for log_id, (letter, _) in setup.dead_letters.open.items()}
    assert reasons == {"a": "skipped by kim: it; rule slack failed: no", "b": "skipped by kim: it; rule slack is running"}


def test_a_skip_that_is_withdrawn_runs_nothing_again_of_an_event_whose_rules_have_run(setup: RulesSetup) -> None:
    event = setup.ruled("a")
    setup.loop.settle(lambda: setup.dispatcher.pause(paused=True))
    setup.end("a")
    setup.loop.settle(lambda: setup.dispatcher.skip(event))
    setup.loop.settle(lambda: setup.dispatcher.keep(event))
    setup.loop.settle(lambda: setup.dispatcher.pause(paused=False))
    assert (setup.sent, setup.rules.begun["a"]) == (["a"], 1)


def test_a_batch_that_is_taken_apart_runs_nothing_again(loop: ManualLoop) -> None:
    setup = RulesSetup(loop, BATCHING, max_attempts=1)
    setup.ruled("a")
    setup.ruled("b")
    setup.blocked = True  # the process slept, and both wait for the next poll
    setup.end("a")
    setup.end("b")
    setup.blocked = False
    setup.loop.settle(setup.dispatcher.launch)
    (batch,) = setup.webhook.open
    assert (batch.log_id, batch.body) == ("a+2", b"[" + BODY + b",\n" + BODY + b"]")
    setup.loop.settle(lambda: setup.webhook.respond(batch, Attempt(500)))
    assert (setup.sent, setup.rules.begun) == (["a", "b"], {"a": 1, "b": 1})


def test_a_batch_waits_for_no_more_once_as_many_ran_ahead_as_may(loop: ManualLoop) -> None:
    setup = RulesSetup(loop, Batching(form=BatchForm.ARRAY, most=100, most_bytes=10_000, linger=60.0), calls=2)
    for name in "abcde":
        setup.ruled(name)
    for name in "abc":
        setup.end(name)
    assert (setup.sent, setup.running) == ([], ["d"])
    setup.end("d")
    assert (setup.sent, setup.running) == (["a+4"], ["e"])


def test_a_breaker_that_was_opened_by_events_that_fail_for_their_own_sake_gets_a_fresh_one_to_probe_with(
    loop: ManualLoop,
) -> None:
    """All that are at hand fail again and again, and every other event waits for its rules, which wait for the breaker."""
    setup = RulesSetup(loop, failures=1, calls=1)
    poison = setup.ruled("a")
    setup.end("a")
    setup.loop.settle(lambda: setup.webhook.respond(poison, Attempt(422)))
    setup.ruled("b")
    setup.ruled("c")
    assert (setup.sent, setup.running) == ([], ["b"])
    setup.end("b")
    assert (setup.sent, setup.running) == ([], [])
    setup.loop.now += 5.1
    setup.loop.settle()
    assert setup.sent == ["b"]


@pytest.mark.parametrize("member", [b"", b"[]", b"\xff", b"[" * 100_000, b"{"])
def test_a_record_whose_header_is_no_result_of_ours_is_no_record_of_ours(loop: ManualLoop, member: bytes) -> None:
    setup = DispatcherSetup(loop)
    event = setup.take(0, "a", headers=[(HEADER, member)])
    loop.settle(setup.dispatcher.launch)
    assert not event.valid
    assert not setup.webhook.open
