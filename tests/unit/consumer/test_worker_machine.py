"""The whole worker against a model: dispatcher, queues, ledger, breaker and dead letters, with everything that can happen.

The machine plays the webhook, the log and the clock (`manual`). The model remembers which events were delivered or acknowledged
as dead letters, and which of those a commit knew about. Where there are rules, the machine plays them, too: the model remembers
what they said of each event, and which events they ran on ahead of its call.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, NamedTuple

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from consumer.partitions.partition import Delivery, Partition, SkipState
from consumer.policy import Policy
from consumer.scheduling.batch import Batching, parts_of
from consumer.scheduling.circuit_breaker import Breaker, BreakerState
from consumer.scheduling.rule_stage import RuleStage
from consumer.webhook import Attempt, Call
from consumer.worker import Worker
from shared import commit_metadata
from shared.backoff import Backoff
from shared.documents import desired
from shared.documents.replica import EventState, PendingEvent
from shared.event_rules import HEADER, RulesFailure, RulesResult
from shared.record import Record
from shared.transport.port import PartitionRecords, Position
from shared.words import BatchForm, OnError, Ordering
from tests.unit.consumer.manual import ManualLoop, ManualRules, ManualTransport, ManualWebhook

pytestmark = pytest.mark.usefixtures("without_a_log")

PARTITIONS: Final = (0, 1)
WINDOW: Final = 40
CAP: Final = 8.0
DRAIN: Final = 10.0
FAILURES: Final = (
    Attempt(500),
    Attempt(410),
    Attempt(422),
    Attempt(302),
    Attempt(503, retry_after=6.0),
    Attempt(429, retry_after=1e6),
    Attempt(None, "no response within 5 s", timed_out=True),
    Attempt(None, "connection reset"),
)

#: What a chain of rules comes to.
RESULTS: Final = (
    RulesResult(member=b'{"decision":null}'),
    RulesResult(member=b'{"decision":{"deny":{}}}'),
    None,
    RulesResult(member=b"{}", failure=RulesFailure(on_error=OnError.HOLD, reason="a rule failed")),
    RulesResult(member=b"{}", failure=RulesFailure(on_error=OnError.DEAD_LETTER, reason="a rule failed")),
    ValueError("a fault of ours"),
)
RULE: Final = ("rule", b"")

Place = tuple[int, int]  # partition, offset


@dataclass(slots=True)
class PartitionModel:
    """What is in the log, and what is known of it."""

    log: list[Record] = field(default_factory=list)
    committed: Position = field(default_factory=lambda: Position(0))
    #: What was completed when that was committed.
    known_at_commit: set[int] = field(default_factory=set)
    #: What this owner has reason to know: what its commit knew, and what is completed since.
    known: set[int] = field(default_factory=set)
    #: What was taken since the assignment.
    taken: set[int] = field(default_factory=set)
    cursor: int = 0
    #: None: no member owns it.
    owner: Partition | None = None

    @property
    def end(self) -> int:
        return self.log[-1].offset + 1 if self.log else 0


class CommitUnderWay(NamedTuple):
    """A commit that is not answered yet."""

    positions: Mapping[int, Position]
    #: What was completed when it began.
    known: Mapping[int, set[int]]
    owners: Mapping[int, Partition | None]
    answer: asyncio.Future[bool]


class WorkerMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.partitions = {number: PartitionModel() for number in PARTITIONS}
        self.count = 0
        self.ended: set[Place] = set()  # in any life
        self.revoking: asyncio.Task[Mapping[int, Position]] | None = None
        self.storing = True
        self.slow = False
        #: What is on its way to the log, what was completed then, and whose it was.
        self.commit_under_way: CommitUnderWay | None = None
        self.steps = 0
        #: The control table, which outlives the process.
        self.table: dict[str, bytes] = {}

    @initialize(
        ordering=st.sampled_from(Ordering),
        most=st.sampled_from([None, 3]),
        max_attempts=st.sampled_from([None, 1, 2]),
        share=st.integers(1, 4),
        failures=st.sampled_from([2, 4, 1000]),
        base=st.sampled_from([1.0, CAP]),
        probe_interval=st.sampled_from([0.5, 5.0]),
        limit=st.sampled_from([None, 30]),
        ruled=st.sampled_from([False, True, True]),
        window_bytes=st.sampled_from([10**6, 10**6, 20]),
    )
    def begin(
        self,
        ordering: Ordering,
        most: int | None,
        max_attempts: int | None,
        share: int,
        failures: int,
        base: float,
        probe_interval: float,
        limit: int | None,
        ruled: bool,
        window_bytes: int,
    ) -> None:
        self.ruled, self.window_bytes = ruled, window_bytes
        self.failures, self.probe_interval = failures, probe_interval
        self.limit = limit
        self.policy = Policy(
            backoff=Backoff(base=base, cap=CAP),
            ordering=ordering,
            max_attempts=max_attempts,
            batching=Batching(form=BatchForm.ARRAY, most=most, most_bytes=10_000, linger=0.5) if most else None,
        )
        self.share = share
        self.live_from(1000.0)
        for number in PARTITIONS:
            self.assign(number)

    def live_from(self, now: float) -> None:
        """A process that knows nothing."""
        self.loop = ManualLoop()
        self.loop.now = now
        self.webhook = ManualWebhook(self.starts)
        self.transport = ManualTransport(self.bring, self.store, self.limit)
        self.scripted = ManualRules(self.chain_starts)
        #: Where rules run at the moment, what they said, and where they said it ahead of the first call.
        self.chains: set[Delivery] = set()
        self.said: dict[Delivery, bytes | None] = {}
        self.ahead: set[Delivery] = set()
        #: Those of a partition that is about to go whose rules were running then.
        self.finishing: set[Delivery] = set()
        #: Those that failed rules may make dead letters.
        self.doomed: set[Delivery] = set()
        self.worker = Worker(
            webhook=self.webhook,
            policy=self.policy,
            breaker=Breaker(failures=self.failures, probe_interval=self.probe_interval, longest=20),
            window=WINDOW,
            window_bytes=self.window_bytes,
            commit_interval=1.0,
            drain_timeout=DRAIN,
            rules=self.scripted if self.ruled else None,
            jitter=lambda: 0.5,
            clock=self.loop.time,
        )
        self.worker._transport = self.transport
        self.worker._session = self.transport.session
        self.polled = now
        self.spent: Counter[Delivery] = Counter()
        self.failed: set[Call] = set()
        self.tries: set[tuple[Call, int]] = set()
        self.probe: Call | None = None
        #: What the receiver asked for by `Retry-After`, for each event, and of the failures since the last success the latest.
        self.not_before: dict[Delivery, float] = {}
        self.floor = 0.0
        #: The calls that began since the breaker last opened, and how many of them may be open while it comes back.
        self.current: set[Call] = set()
        self.ramp: int | None = None
        #: Until when no more calls than these are open, since there was no descriptor for another.
        self.short_until, self.room = 0.0, 0
        self.skipped: set[Delivery] = set()
        #: Those of them that the last look allowed to be set aside.
        self.permitted: set[Delivery] = set()
        self.paused = False
        self.look()
        self.loop.settle(lambda: self.worker.share(self.share))

    # -- what the worker does, looked at as it does it

    def starts(self, call: Call) -> None:
        assert isinstance(call, Delivery) or self.policy.batching
        parts = self.parts(call)
        assert not self.paused, "a call though delivery is paused"
        assert len(self.webhook.open) < self.share, "more calls than the share"
        assert self.loop.now >= self.short_until or len(self.webhook.open) < self.room, "a connection that cannot be had"
        assert not self.asleep(), "a call though the session is over"
        assert self.worker.state.breaker is not BreakerState.OPEN, "a call that is no probe"
        assert all(self.loop.now >= self.not_before.get(part, 0.0) for part in parts), "sooner than the receiver asked for"
        if self.worker.state.breaker is BreakerState.HALF_OPEN:
            self.probe = call
            assert self.loop.now >= self.floor, "a probe sooner than the receiver asked for"
        else:
            assert self.has_room(), "more calls than the ramp allows"
        assert (call, call.attempt) not in self.tries, "the number of an attempt that was made before"
        self.tries.add((call, call.attempt))
        self.current.add(call)
        taken = {(one.partition, self.queue_key(one.record)) for other in self.webhook.open for one in self.parts(other)}
        before: set[Place] = set()
        for part in parts:
            where = self.partitions[part.partition.number]
            offset = part.record.offset
            assert part.partition is where.owner, "a call of an earlier assignment"
            assert part.partition.live or part in self.finishing, "a call of a partition that is about to go"
            assert part.body == self.body(part), "not what its rules said"
            assert offset in where.taken
            assert offset not in where.known, "an event that is completed"
            assert part not in self.skipped, "an event that was set aside"
            key = self.queue_key(part.record)
            assert (part.partition, key) not in taken, "two calls of a key"
            earlier = {r.offset for r in where.log if r.offset < offset and r.offset in where.taken and self.queue_key(r) == key}
            assert all(one in where.known or (part.partition.number, one) in before for one in earlier), "overtaken"
            before.add((part.partition.number, offset))
        self.ahead.difference_update(parts)

    def asleep(self) -> bool:
        return self.loop.now - self.polled > self.transport.session

    def may_begin(self) -> bool:
        return not self.paused and not self.asleep() and self.worker.state.breaker is BreakerState.CLOSED

    def body(self, delivery: Delivery) -> bytes:
        if not self.ruled or RULE not in delivery.record.headers:
            return b"{}"
        assert delivery in self.said, "before its rules have run"
        member = self.said[delivery]
        return b"{}" if member is None else b'{"rules":%s}' % member

    def chain_starts(self, record: Record) -> None:
        (delivery,) = [one for one in self.pending() if one.record is record]
        model, begun = self.partitions[delivery.partition.number], len(self.here(self.chains)) + len(self.here(self.ahead))
        assert delivery.partition is model.owner, "of an earlier assignment"
        assert delivery.partition.live, "of a partition that is about to go"
        assert delivery not in self.said, "again, though they have said something"
        assert delivery not in self.chains, "twice at once"
        assert delivery not in self.skipped, "of an event that is to be set aside"
        assert not self.paused, "while delivery is paused"
        assert not self.asleep(), "though the session is over"
        if self.worker.state.breaker is BreakerState.CLOSED:
            assert begun < 2 * self.share, "too far ahead"
        else:
            fresh = [one for one in self.worker._dispatcher.ready_queue._ready if one not in self.failed]
            assert not begun, "more than one for a probe"
            assert not fresh, "a probe has another event"
        key, offset = self.queue_key(record), record.offset
        earlier = (one.offset for one in model.log if one.offset in model.taken and self.queue_key(one) == key)
        assert all(one in model.known for one in earlier if one < offset), "rules have overtaken"
        self.chains.add(delivery)

    def here(self, deliveries: Collection[Delivery]) -> list[Delivery]:
        """Those whose partition this member still owns, also inside the worker's last step of giving it back."""
        owned = self.worker._window.owned
        return [one for one in deliveries if self.holds(one) and owned.get(one.partition.number) is one.partition]

    def queue_key(self, record: Record) -> object:
        if not record.headers:
            return record.offset, "foreign"
        match self.policy.ordering:
            case Ordering.KEY:
                return record.key or record.headers[1]
            case Ordering.PARTITION:
                return None
            case Ordering.NONE:
                return record.offset

    def bring(self, limit: int, paused: Collection[int]) -> Sequence[PartitionRecords]:
        self.polled = self.loop.now
        batches = []
        for number, partition in self.partitions.items():
            if partition.owner is None or number in paused:
                continue
            records = [record for record in partition.log if record.offset >= partition.cursor][:limit]
            limit -= len(records)
            if records:
                partition.cursor = records[-1].offset + 1
                partition.taken.update(record.offset for record in records)
                batches.append(PartitionRecords(number, records))
        return batches

    def store(self, positions: Mapping[int, Position]) -> asyncio.Future[bool]:
        assert self.commit_under_way is None, "two commits at once"
        for number, position in positions.items():
            self.check(number, position)
        parts = {number: self.partitions[number] for number in positions}
        known, owners = {n: set(part.known) for n, part in parts.items()}, {n: part.owner for n, part in parts.items()}
        self.commit_under_way = CommitUnderWay(positions, known, owners, self.loop.create_future())
        answer = self.commit_under_way.answer
        if not self.slow:
            self.finish_commit(stored=self.storing)
        return answer

    def finish_commit(self, *, stored: bool) -> None:
        """It is refused where a partition has changed hands; the log sees to it that a revocation's own commit comes later."""
        assert self.commit_under_way is not None
        commit, self.commit_under_way = self.commit_under_way, None
        stored = stored and all(self.partitions[number].owner is owner for number, owner in commit.owners.items())
        for number, position in commit.positions.items() if stored else ():
            partition = self.partitions[number]
            assert position.offset >= partition.committed.offset, "a position goes back"
            partition.committed, partition.known_at_commit = position, commit.known[number]
        commit.answer.set_result(stored)

    def check(self, number: int, position: Position) -> None:
        """It claims nothing as done that is not, forgets nothing that is, and is no longer than the log allows."""
        partition = self.partitions[number]
        known = commit_metadata.decode(position.offset, position.metadata) if position.metadata else None
        assert known or not position.metadata
        claimed = known.until if known else position.offset
        undone = {r.offset for r in partition.log if r.offset < claimed} - partition.known
        assert undone <= set(known.open if known else ()), "the position passes an event that has not ended"
        assert all(offset < claimed for offset in partition.known), "what is completed would be repeated"
        assert self.limit is None or len(position.metadata) <= self.limit

    # -- what happens

    @rule(
        number=st.sampled_from(PARTITIONS),
        taken=st.booleans(),
        events=st.lists(
            st.tuples(st.sampled_from([b"a", b"a", b"b", None]), st.integers(0, 2), st.booleans()), min_size=1, max_size=6
        ),
    )
    def publish(self, number: int, events: list[tuple[bytes | None, int, bool]], *, taken: bool) -> None:
        for key, hole, ruled in events:
            self.count += 1
            headers = [("v", b"1"), ("log-id", b"%d" % self.count)]
            self.append(number, key, hole, [*headers, RULE] if ruled else headers)
        if taken and self.revoking is None:
            self.turn()

    @rule(number=st.sampled_from(PARTITIONS))
    def publish_a_foreign_record(self, number: int) -> None:
        self.append(number, b"a", 0, [])

    def append(self, number: int, key: bytes | None, hole: int, headers: list[tuple[str, bytes]]) -> None:
        log = self.partitions[number].log
        log.append(Record(self.partitions[number].end + hole, key, b"{}", headers, 0.0))

    @precondition(lambda self: self.revoking is None)
    @rule()
    def turn(self) -> None:
        turn = self.loop.create_task(self.worker.turn(self.transport))
        self.loop.settle()
        if not turn.done():
            self.time_passes(0.3)  # it waited for room in the window
        turn.result()
        assert self.worker.state.in_window <= WINDOW

    @precondition(lambda self: self.webhook.open)
    @rule(data=st.data())
    def call_succeeds(self, data: st.DataObject) -> None:
        call = data.draw(st.sampled_from(list(self.webhook.open)))
        for part in self.parts(call):
            self.complete(part.partition.number, part.record.offset)
        self.respond(call, Attempt(200))

    @precondition(lambda self: self.scripted.open)
    @rule(data=st.data(), result=st.sampled_from(RESULTS))
    def a_chain_ends(self, data: st.DataObject, result: RulesResult | Exception | None) -> None:
        log_id = data.draw(st.sampled_from(list(self.scripted.open)))
        self.loop.settle(lambda: self.end_chain(log_id, result))

    @precondition(lambda self: self.scripted.open)
    @rule(result=st.sampled_from(RESULTS[:3]))
    def all_chains_end(self, result: RulesResult | None) -> None:
        for log_id in list(self.scripted.open):
            if log_id in self.scripted.open:
                self.loop.settle(partial(self.end_chain, log_id, result))

    def end_chain(self, log_id: str, result: RulesResult | Exception | None) -> None:
        (delivery,) = [one for one in self.chains if one.log_id == log_id and self.holds(one)]
        self.chains.discard(delivery)
        if isinstance(result, Exception) or (result is not None and result.failure is not None):
            if isinstance(result, RulesResult) and result.failure and result.failure.on_error is OnError.DEAD_LETTER:
                self.doomed.add(delivery)
        elif delivery.partition.live or self.may_begin():
            self.said[delivery] = result.member if result is not None else None
            self.ahead.add(delivery)
        self.scripted.end(log_id, result)

    @precondition(lambda self: self.webhook.open)
    @rule(data=st.data(), attempt=st.sampled_from(FAILURES))
    def call_fails(self, data: st.DataObject, attempt: Attempt) -> None:
        self.fail(data.draw(st.sampled_from(list(self.webhook.open))), attempt)

    @precondition(lambda self: self.webhook.open)
    @rule(attempts=st.lists(st.sampled_from(FAILURES), min_size=1, max_size=3), seconds=st.sampled_from([2.0, 5.0, 20.0]))
    def outage(self, attempts: list[Attempt], seconds: float) -> None:
        for attempt in attempts:
            for call in list(self.webhook.open):
                if call in self.webhook.open:
                    self.fail(call, attempt)
            self.time_passes(seconds)

    @precondition(lambda self: self.webhook.open)
    @rule(data=st.data())
    def find_no_descriptor(self, data: st.DataObject) -> None:
        call = data.draw(st.sampled_from(list(self.webhook.open)))
        before, attempts, failed = self.worker.state.breaker, (call.attempt, call.spent), call.failed
        self.short_until = self.loop.now + 1.0
        self.room = len(self.webhook.open) - 1
        self.tries.discard((call, call.attempt))
        self.respond(call, Attempt(None, "no file descriptor is left", sent=False))
        assert ((call.attempt, call.spent), call.failed) == (attempts, failed), "no request went out, so there was no attempt"
        assert self.worker.state.breaker in (before, BreakerState.OPEN), "it says nothing about the webhook"
        assert self.worker.state.breaker is before or before is BreakerState.HALF_OPEN

    def fail(self, call: Call, attempt: Attempt) -> None:
        self.current &= set(self.webhook.open)
        closed, before = self.worker.state.breaker is BreakerState.CLOSED and call in self.current, call.spent
        refused_again = call is self.probe and call in self.failed and attempt.status in (422, 500)
        spent = closed or (self.worker.state.breaker is BreakerState.HALF_OPEN and refused_again)
        self.failed |= {call, *self.parts(call)}
        if isinstance(call, Delivery):
            self.spent[call] += spent
        if attempt.retry_after is not None:
            moment = self.loop.now + min(CAP, attempt.retry_after)
            self.not_before.update(dict.fromkeys(self.parts(call), moment))
            self.floor = max(self.floor, moment)
        number = call.attempt
        self.respond(call, attempt)
        assert call.attempt == number + 1, "the next try has a number of its own"
        assert call.spent == before + spent, "attempts are spent while the breaker is closed, or by the only ones who are left"

    def respond(self, call: Call, attempt: Attempt) -> None:
        before = self.worker.state.breaker
        if attempt.status == 200:
            self.floor = 0.0
            if before is not BreakerState.CLOSED:
                self.ramp = 1
            elif self.ramp is not None:
                self.ramp = self.ramp * 2 if self.ramp * 2 < self.share else None
        self.loop.settle(lambda: self.webhook.respond(call, attempt))
        if self.worker.state.breaker is BreakerState.OPEN and call in self.current:
            self.current.clear()
        if before is not BreakerState.CLOSED and self.worker.state.breaker is BreakerState.CLOSED:
            waiting = [self.parts(call) for call in self.worker._dispatcher.ready_queue._retries]
            assert all(self.not_before.get(parts[0], 0.0) > self.loop.now for parts in waiting), (
                "waits though the webhook is back"
            )

    def has_room(self) -> bool:
        """Older calls, that hang from before an outage, take none of it."""
        self.current &= set(self.webhook.open)
        return self.ramp is None or len(self.current) < self.ramp

    def parts(self, call: Call) -> Sequence[Delivery]:
        return parts_of(call)  # type: ignore[arg-type]

    def complete(self, number: int, offset: int) -> None:
        self.ended.add((number, offset))
        self.partitions[number].known.add(offset)

    @rule(seconds=st.sampled_from([0.1, 0.6, 2.0, 4.0, 5.0, 20.0, 40.0]))
    def time_passes(self, seconds: float) -> None:
        self.loop.now += seconds
        self.loop.settle()

    @precondition(lambda self: self.revoking is None and self.commit_under_way is None)
    @rule(stored=st.booleans(), slow=st.booleans())
    def commit(self, stored: bool, slow: bool) -> None:
        self.storing, self.slow = stored, slow
        self.loop.settle(lambda: self.worker._commits._begin(self.transport))
        self.storing, self.slow = True, False

    @precondition(lambda self: self.commit_under_way is not None)
    @rule(stored=st.booleans())
    def the_commit_ends(self, stored: bool) -> None:
        self.loop.settle(lambda: self.finish_commit(stored=stored))

    @rule(calls=st.integers(1, 4))
    def get_another_share(self, calls: int) -> None:
        self.share = calls
        self.loop.settle(lambda: self.worker.share(calls))

    # -- pauses

    @rule(paused=st.booleans())
    def an_operator_pauses_or_resumes(self, *, paused: bool) -> None:
        self.ask_for_delivery(paused=paused)

    @precondition(lambda self: self.steps % 3 == 0)
    @rule(text=st.sampled_from([None, b"rubbish", b'{"v": 2}', b'{"v": 1, "paused": true}']))
    def the_desired_state_is_lost(self, text: bytes | None) -> None:
        """The last known state holds."""
        self.table = {} if text is None else {desired.KEY: text}
        self.look()

    def ask_for_delivery(self, *, paused: bool) -> None:
        wanted = desired.DesiredDelivery.new(paused=paused, by="ada", why="migration", now=self.loop.now)
        self.table = {desired.KEY: wanted.encode()}
        self.look()
        assert self.worker.desired.known == wanted

    def look(self) -> None:
        before, found = self.paused, self.table.get(desired.KEY, b"")
        self.paused = b'"paused": true' in found if b'"why"' in found else before
        if before and not self.paused and self.worker.state.breaker is BreakerState.CLOSED:
            self.current &= set(self.webhook.open)
            self.ramp = 1 + len(self.current)
        reading = self.loop.create_task(self.worker.desired.read(self.transport.letters, self.table))
        self.loop.settle()
        assert reading.result() is False
        assert self.worker.state.paused is self.paused

    # -- dead letters and skips

    @precondition(lambda self: self.transport.letters.open)
    @rule(data=st.data())
    def acknowledge_a_letter(self, data: st.DataObject) -> None:
        self.acknowledge(data.draw(st.sampled_from(list(self.transport.letters.open))))

    def acknowledge(self, log_id: str) -> None:
        letter, _ = self.transport.letters.open[log_id]
        limit = self.policy.max_attempts
        if letter.reason.endswith("attempts failed"):
            (times,) = [times for one, times in self.spent.items() if one.log_id == log_id and self.holds(one)]
            assert times == letter.attempts == limit, "a dead letter before its time"
        elif letter.reason == "a rule failed":
            assert any(one.log_id == log_id for one in self.here(self.doomed))
        else:
            permitted = {(one.partition.number, one.record.offset) for one in self.permitted if self.holds(one)}
            foreign = limit and not letter.record.headers
            assert foreign or (letter.partition, letter.record.offset) in permitted, "set aside without the last look"
        said = [member for one, member in self.said.items() if one.log_id == log_id and self.holds(one) and member is not None]
        assert [value for name, value in letter.record.headers if name == HEADER] == said
        self.complete(letter.partition, letter.record.offset)
        self.loop.settle(lambda: self.transport.letters.acknowledge(log_id))

    def holds(self, delivery: Delivery) -> bool:
        return delivery.partition is self.partitions[delivery.partition.number].owner

    @precondition(lambda self: self.transport.letters.open)
    @rule(data=st.data())
    def refuse_a_letter(self, data: st.DataObject) -> None:
        log_id = data.draw(st.sampled_from(list(self.transport.letters.open)))
        self.loop.settle(lambda: self.transport.letters.refuse(log_id))

    @precondition(lambda self: self.worker.state.in_window)
    @rule(data=st.data())
    def skip(self, data: st.DataObject) -> None:
        self.ask_for(data.draw(st.sampled_from(self.pending())))

    def ask_for(self, delivery: Delivery) -> None:
        self.skipped.add(delivery)
        self.chains.discard(delivery)
        self.ahead.discard(delivery)
        self.loop.settle(lambda: self.worker._dispatcher.skip(delivery))

    @precondition(lambda self: self.skipped)
    @rule(data=st.data())
    def set_aside(self, data: st.DataObject) -> None:
        """Whether it is free or not; while it is not, nothing may come of it."""
        delivery = data.draw(st.sampled_from(sorted(self.skipped, key=lambda one: one.log_id)))
        if delivery.skip is SkipState.WITHHELD and delivery.partition.live:
            self.permitted.add(delivery)
        self.loop.settle(lambda: self.worker._dispatcher.set_aside(delivery, "skipped by kim: malformed"))

    @precondition(lambda self: self.skipped)
    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        delivery = data.draw(st.sampled_from(sorted(self.skipped, key=lambda one: one.log_id)))
        if delivery not in self.permitted:
            self.skipped.discard(delivery)
        self.loop.settle(lambda: self.worker._dispatcher.keep(delivery))

    # -- partitions come and go

    @precondition(lambda self: self.revoking is None and self.unowned())
    @rule(data=st.data())
    def assign_again(self, data: st.DataObject) -> None:
        self.assign(data.draw(st.sampled_from(self.unowned())))

    def unowned(self) -> list[int]:
        return [number for number, partition in self.partitions.items() if partition.owner is None]

    def assign(self, number: int) -> None:
        partition = self.partitions[number]
        partition.known, partition.taken = set(partition.known_at_commit), set()
        partition.cursor = partition.committed.offset
        self.loop.settle(lambda: self.worker.assigned(number, partition.committed))
        partition.owner = self.worker._window.owned[number]

    @precondition(lambda self: self.revoking is None and len(self.unowned()) < len(PARTITIONS))
    @rule(data=st.data())
    def revoke(self, data: st.DataObject) -> None:
        """Begins; it is over when the open calls are, or with the drain timeout."""
        going = data.draw(st.sets(st.sampled_from([number for number in PARTITIONS if number not in self.unowned()]), min_size=1))
        self.loop.settle(lambda: self.begin_to_revoke(going))

    def begin_to_revoke(self, going: Collection[int]) -> None:
        self.finishing |= {one for one in self.here(self.chains) if one.partition.number in going}
        self.ahead = {one for one in self.ahead if one.partition.number not in going}
        self.revoking = self.loop.create_task(self.worker.revoked(going))

    @precondition(lambda self: self.steps % 4 == 0 and self.revoking is None and len(self.unowned()) < len(PARTITIONS))
    @rule(data=st.data(), ticks=st.integers(0, 4))
    def lose(self, data: st.DataObject, ticks: int) -> None:
        """Maybe while its chains end: their results are on the way."""
        number = data.draw(st.sampled_from([number for number in PARTITIONS if number not in self.unowned()]))
        owner = self.partitions[number].owner
        self.loop.run_until_complete(self.lose_while_chains_end(number, ticks))
        self.loop.settle()
        carried = [part.partition for call in self.webhook.open for part in self.parts(call)]
        assert owner not in carried, "a call goes on though its partition is lost"

    async def lose_while_chains_end(self, number: int, ticks: int) -> None:
        for one in [one for one in self.here(self.chains) if one.partition.number == number] if ticks else ():
            self.end_chain(one.log_id, RESULTS[0])
        for _ in range(ticks - 1):
            await asyncio.sleep(0)
        self.partitions[number].owner = None
        self.worker.lost([number])

    @precondition(lambda self: self.steps % 4 == 0)  # else nothing has the time to become complicated
    @rule()
    def crash(self) -> None:
        now = self.loop.now
        self.loop.end()
        self.revoking = self.commit_under_way = None
        for partition in self.partitions.values():
            partition.owner = None
        self.live_from(now)
        for number in PARTITIONS:
            self.assign(number)

    # -- what always holds

    @invariant()
    def a_revocation_that_is_over_answers_what_to_commit(self) -> None:
        if self.revoking is None or not self.revoking.done():
            return
        answer, self.revoking = self.revoking.result(), None
        if self.commit_under_way is not None:
            self.the_commit_ends(stored=True)
        for number in answer:
            assert not any(
                part.partition is self.partitions[number].owner for call in self.webhook.open for part in self.parts(call)
            )
        self.loop.settle(lambda: self.store(answer))
        for number in answer:
            self.partitions[number].owner = None

    @invariant()
    def no_position_passes_what_has_not_ended(self) -> None:
        for number, partition in self.partitions.items():
            if partition.owner is not None:
                self.check(number, partition.owner.ledger.committable)

    @invariant()
    def no_event_waits_while_it_may_go(self) -> None:
        asleep = self.asleep() or self.loop.now < self.short_until
        closed = self.worker.state.breaker is BreakerState.CLOSED
        if asleep or self.paused or not closed or len(self.webhook.open) >= self.share or not self.has_room():
            return
        queue = self.worker._dispatcher.ready_queue
        assert not queue._again
        assert not queue._ready or (self.policy.batching and not queue._ready[0].alone), "it is ready, and there is room"

    @invariant()
    def no_chain_waits_while_it_may_start(self) -> None:
        if not (hasattr(self, "loop") and self.ruled):
            return
        stage = self.worker._dispatcher.stage
        assert isinstance(stage, RuleStage)
        assert stage._ahead.events == set(self.here(self.ahead))
        assert stage._under_way.keys() == set(self.here(self.chains))
        if self.may_begin() and len(stage._under_way) + len(stage._ahead.events) < 2 * self.share:
            assert not stage._waiting

    @invariant()
    def what_it_reports_can_be_read_and_names_the_rules_that_run(self) -> None:
        if not hasattr(self, "loop"):
            return
        events = self.loop.run_until_complete(self.reported())
        running = {(one.partition, one.offset) for one in events if one.rule == "slack" and one.state is EventState.WAITING}
        assert running == {(one.partition.number, one.record.offset) for one in self.here(self.chains)}

    async def reported(self) -> Sequence[PendingEvent]:
        return self.worker.report("http://localhost").events

    @invariant()
    def the_window_knows_the_bytes_of_what_is_pending(self) -> None:
        for owned in self.worker._window.owned.values() if hasattr(self, "loop") else ():
            assert owned.bytes == sum(one.size for one in owned.pending.values())

    @invariant()
    def a_step_is_over(self) -> None:
        self.steps += 1

    @invariant()
    def nothing_fails_unheard(self) -> None:
        assert not self.loop.problems

    # -- the end

    def teardown(self) -> None:
        try:
            if sys.exc_info()[0] is None and hasattr(self, "loop"):
                self.everything_ends_once_all_is_well_again()
        finally:
            if hasattr(self, "loop"):
                self.loop.end()

    def everything_ends_once_all_is_well_again(self) -> None:
        if self.commit_under_way is not None:
            self.the_commit_ends(stored=False)
        if self.revoking is not None:
            self.time_passes(DRAIN + 1)
            self.a_revocation_that_is_over_answers_what_to_commit()
        for number in self.unowned():
            self.assign(number)
        self.ask_for_delivery(paused=False)
        for number in self.rounds():
            self.storing = number % 2 == 1  # a commit that is refused is made again
            self.turn()
            self.all_chains_end(RESULTS[0])
            for call in list(self.webhook.open):
                for part in self.parts(call):
                    self.complete(part.partition.number, part.record.offset)
                self.respond(call, Attempt(200))
            for log_id in list(self.transport.letters.open):
                self.acknowledge(log_id)
            for one in self.pending():
                if not one.valid:
                    self.ask_for(one)
                    self.loop.settle(partial(self.worker._dispatcher.set_aside, one, "skipped by kim: foreign"))
                    self.permitted.add(one)
                elif one.skip is not None and one not in self.permitted:
                    self.skipped.discard(one)
                    self.loop.settle(partial(self.worker._dispatcher.keep, one))
            self.time_passes(1.0)
            self.no_position_passes_what_has_not_ended()
            self.nothing_fails_unheard()
        assert self.ended == {(number, record.offset) for number, one in self.partitions.items() for record in one.log}

    def pending(self) -> list[Delivery]:
        return [one for owned in self.worker._window.owned.values() for one in owned.pending.values()]

    def rounds(self) -> Iterator[int]:
        """Until the end is committed; a call waits for the breaker and a backoff at most, and one of each is enough."""
        events = sum(len(partition.log) for partition in self.partitions.values())
        for number in range(60 + 2 * events):
            if all(one.committed.offset >= one.end for one in self.partitions.values()):
                return
            yield number
        raise AssertionError("the position does not reach the end")


TestWorker = WorkerMachine.TestCase
