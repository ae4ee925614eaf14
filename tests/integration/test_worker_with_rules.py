"""A worker with rules on a real log with a real receiver; the rules are coroutines of the test."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from admin.actions.dead_letters import retry
from shared.event import Event
from shared.event_rules import EventRules, RulesFailure, RulesResult, with_rules
from shared.record import Record
from shared.words import OnError, Ordering
from simulator.receiver import Receiver
from tests.contract.harness import event, events, publish
from tests.integration.workers import committed, dead, ids, log_in, policy, running, until, worker
from tests.support import faults


class TimedRules(EventRules):
    """Each chain takes a while, and says how many chains its process has begun for the event, and how many it runs beside it.

    They look at no event of the user `other`.
    """

    switched_off = frozenset[str]()
    fingerprint = "0f"
    since = None

    def __init__(self, seconds: Callable[[str], float] = lambda user: 0.005, *, failing: int = 0) -> None:
        self._seconds = seconds
        #: So many chains of each event fail first.
        self.failing = failing
        self.begun: Counter[str] = Counter()
        self.now = self.most = 0
        self.state = "made"

    async def start(self) -> None:
        self.state = "started"

    def looks_at(self, record: Record) -> bool:
        return record.key != b"other"

    async def run(self, record: Record, log_id: str) -> RulesResult | None:
        assert self.state == "started"
        self.begun[log_id] += 1
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(self._seconds((record.key or b"").decode()))
        finally:
            self.now -= 1
        if self.begun[log_id] <= self.failing:
            return RulesResult(member=b"{}", failure=RulesFailure(on_error=OnError.HOLD, reason="rule slack failed: no"))
        return RulesResult(member=said(self.begun[log_id]))

    def under_way(self, log_id: str) -> str | None:
        return None

    async def close(self) -> None:
        self.state = "closed"


def said(times: int) -> bytes:
    return json.dumps({"times": times}).encode()


def body(sent: Event, times: int = 1) -> bytes:
    return with_rules(sent.raw, said(times))


@pytest.mark.parametrize("ordering", Ordering)
async def test_events_go_once_in_order_with_what_their_rules_said(tmp_path: Path, receiver: Receiver, ordering: Ordering) -> None:
    sent, rules = [*events(0, 60), event(60, user="other")], TimedRules()
    receiver.script.add(faults.status(500), when=lambda call: int(call.log_id[3:]) % 9 == 0, times=5)
    await publish(log_in(tmp_path), sent)
    async with running(worker(receiver.url, how=policy(ordering=ordering), rules=rules), log_in(tmp_path)):
        await receiver.journal.wait_until(lambda journal: len(journal.delivered) == 61, timeout=20)
    assert receiver.journal.bodies == {**{one.log_id: body(one) for one in sent[:60]}, sent[60].log_id: sent[60].raw}
    assert len({(entry.call.log_id, entry.call.sha256) for entry in receiver.journal.all}) == 61, "a retry has another body"
    assert len(receiver.journal.all) == 66
    assert receiver.journal.disorder() == [] or ordering is Ordering.NONE
    assert (receiver.journal.duplicates, rules.begun) == ((), Counter(ids(sent[:60])))
    assert rules.most <= 10, "twice the share"
    assert (rules.state, rules.now) == ("closed", 0)


async def test_a_slow_rule_of_one_user_holds_up_no_other(tmp_path: Path, receiver: Receiver) -> None:
    rules = TimedRules(lambda user: 60.0 if user == "auth0|3" else 0.0)
    await publish(log_in(tmp_path), sent := events(0, 700))
    one = worker(receiver.url, rules=rules, drain_timeout=0.1, window=1000)
    async with running(one, log_in(tmp_path)):
        await receiver.journal.wait_for(600, timeout=20)
        await until(lambda: one.state.in_window == 100)
    assert rules.now == 0, "it was broken off"
    async with running(worker(receiver.url, rules=TimedRules()), log_in(tmp_path)):
        await receiver.journal.wait_for(700, timeout=20)
    assert (receiver.journal.duplicates, receiver.journal.disorder(), await committed(tmp_path)) == ((), [], 701)
    assert receiver.journal.bodies == {one.log_id: body(one) for one in sent}


async def test_an_orderly_stop_waits_for_the_rules_and_the_calls_behind_them(tmp_path: Path, receiver: Receiver) -> None:
    rules = TimedRules(lambda user: 0.2)
    await publish(log_in(tmp_path), sent := events(0, 4))
    async with running(worker(receiver.url, rules=rules), log_in(tmp_path)):
        await until(lambda: rules.now == 4)
    assert receiver.journal.delivered == tuple(ids(sent))
    assert await committed(tmp_path) == 5


async def test_held_events_go_once_their_rules_pass_and_what_they_said_survives_dead_letters(
    tmp_path: Path, receiver: Receiver
) -> None:
    receiver.script.add(faults.status(500))
    rules = TimedRules(failing=2)
    await publish(log_in(tmp_path), [sent := event(0, user="ada")])
    async with running(worker(receiver.url, how=policy(max_attempts=2), rules=rules), log_in(tmp_path)):
        await receiver.journal.wait_until(lambda journal: len(journal.all) == 2, timeout=20)
        while not await dead(tmp_path):  # noqa: ASYNC110  nothing announces it
            await asyncio.sleep(0.02)
    receiver.script.clear()
    transport = log_in(tmp_path)
    assert [one.log_id async for one in retry(transport, await dead(tmp_path), rate=100)] == [sent.log_id]
    await transport.close()
    async with running(worker(receiver.url, how=policy(max_attempts=2), rules=rules), log_in(tmp_path)):
        await receiver.journal.wait_for(1, timeout=20)
    assert (rules.begun, receiver.journal.bodies) == ({sent.log_id: 3}, {sent.log_id: body(sent, 3)})
