"""Operators and consumers around one control table, in every order in which things can happen to them.

The code is the real one, from the command's action to the dead letter; the machine plays the table, the webhook, the topic of
dead letters and the clock. Each access to the table happens when the machine lets it happen, or it fails, before it was done or
after.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from admin.actions.skip import SkipOutcome, SkipReport, skip
from consumer.control import SkipRequests
from consumer.webhook import Attempt, Call
from shared.control import ControlFollower
from shared.documents import dead_letter
from shared.documents.skip import SkipDocuments
from shared.errors import PublishFailed, TransportUnusable
from shared.record import Record
from shared.transport.port import DeadLetter, Position, Row, Table
from tests.unit.consumer.manual import DispatcherSetup, ManualDeadLetters, ManualLoop, ManualTransport

WITHIN: Final = 10.0
#: Log ids of the records; one stands in the log twice, as after `dead-letters retry`.
LOG: Final = ("a", "b", "a", "c")
NOTHING: Final = frozenset({SkipOutcome.BEFORE, SkipOutcome.DELIVERED, SkipOutcome.WITHDRAWN, SkipOutcome.NOT_FOUND})

pytestmark = pytest.mark.usefixtures("without_a_log")


@dataclass(slots=True, eq=False)
class TableAccess:
    """To the table, by one of its clients; not done yet."""

    client: Client
    key: str | None
    text: bytes | None
    done: asyncio.Future[Any]


class Client(Table):
    def __init__(self, accesses: list[TableAccess]) -> None:
        self._accesses = accesses
        #: What it saw last.
        self.seen: Mapping[str, bytes] = {}

    async def put(self, key: str, document: bytes) -> None:
        await self._access(key, document)

    async def delete(self, key: str) -> None:
        await self._access(key, None)

    def scan(self) -> AsyncIterator[Row]:
        raise NotImplementedError

    async def keys(self) -> Collection[str]:
        raise NotImplementedError

    async def snapshot(self) -> Mapping[str, bytes]:
        self.seen = await self._access(None, None)
        return self.seen

    async def _access(self, key: str | None, text: bytes | None) -> Any:
        access = TableAccess(self, key, text, asyncio.get_running_loop().create_future())
        self._accesses.append(access)
        return await access.done

    async def close(self) -> None:
        pass


class Consumer(DispatcherSetup):
    def __init__(self, machine: SkipsMachine) -> None:
        super().__init__(machine.loop, base=1.0, calls=2, dead_letters=WatchedDeadLetters(machine, self))
        self.control = Client(machine.accesses)
        requests = SkipRequests(self.dispatcher, self.window, clock=machine.loop.time)
        self.follower = ControlFollower([requests], asyncio.Event())
        self.looking: asyncio.Task[None] | None = None


class Operator(ManualTransport):
    """The log as its command sees it."""

    def __init__(self, name: str, log_id: str, accesses: list[TableAccess], dead: list[DeadLetter]) -> None:
        super().__init__(lambda limit, hold: [], lambda positions: True)
        self.name, self.log_id = name, log_id
        self.stop = asyncio.Event()
        self.task: asyncio.Task[SkipReport] | None = None
        self._accesses = accesses
        self._dead = dead

    async def dead_letters(self) -> Table:
        return WrittenDeadLetters(self._dead)

    async def control(self) -> Table:
        return Client(self._accesses)


class WrittenDeadLetters(ManualDeadLetters):
    def __init__(self, dead: list[DeadLetter]) -> None:
        super().__init__()
        self._dead = dead

    async def scan(self) -> AsyncIterator[Row]:
        for letter in self._dead:
            yield Row(letter.log_id, dead_letter.dump(letter), "")


class WatchedDeadLetters(ManualDeadLetters):
    """Tells the machine of each letter that is handed to the log; what is abandoned may be written all the same."""

    def __init__(self, machine: SkipsMachine, consumer: Consumer) -> None:
        super().__init__()
        self._machine = machine
        self._consumer = consumer

    async def put(self, key: str, document: bytes) -> None:
        letter = dead_letter.parse(document)
        self._machine.begins(self._consumer, letter)
        try:
            await super().put(key, document)
        except asyncio.CancelledError:
            self._machine.strays.append(letter)
            raise


class SkipsMachine(RuleBasedStateMachine):
    steps = 0

    @initialize(log_ids=st.lists(st.sampled_from("aabc"), max_size=2), failed=st.booleans(), looks=st.booleans())
    def begin(self, log_ids: list[str], *, failed: bool, looks: bool) -> None:
        self.loop = ManualLoop()
        self.table: dict[str, bytes] = {}
        self.accesses: list[TableAccess] = []
        self.dead: list[DeadLetter] = []
        self.strays: list[DeadLetter] = []
        #: Offsets: answered 200; come to their end in the life of this owner or before; those of them that are committed.
        self.answered: set[int] = set()
        self.delivered: set[int] = set()
        self.ended: set[int] = set()
        self.begun: set[tuple[Consumer, str, int]] = set()
        self.operators: list[Operator] = []
        #: Operators that were told that nothing was done.
        self.nothing: set[str] = set()
        self.consumers = [Consumer(self), Consumer(self)]
        self.owner: Consumer | None = None
        self.assign(0)
        for log_id in log_ids:
            self.ask(log_id)
            while self.accesses:
                self.let_happen(self.accesses[0])
        for consumer, call in self.calls() if failed else ():
            self.respond(consumer, call, good=False)
        if looks:
            self.a_whole_look(0)

    # -- dead letters

    def begins(self, consumer: Consumer, letter: DeadLetter) -> None:
        operator = _operator_of(letter)
        begun = (consumer, operator, letter.record.offset)
        if begun not in self.begun:  # else it is the same letter once more, after a failure
            assert operator not in self.nothing, "set aside after its operator was told that nothing was done"
            documents = SkipDocuments.parse(consumer.control.seen).requests.values()
            (request,) = (one for one in documents if one.by == operator)
            assert self.loop.now <= request.until, "set aside though the request had expired"
            assert consumer is self.owner, "set aside by one that does not own the partition"
            self.begun.add(begun)

    def is_written(self, letter: DeadLetter) -> None:
        assert _operator_of(letter) not in self.nothing
        self.dead.append(letter)

    def unanswered_letters(self) -> list[tuple[Consumer, str]]:
        return [(consumer, log_id) for consumer in self.consumers for log_id in consumer.dead_letters.open]

    @precondition(lambda self: self.unanswered_letters())
    @rule(data=st.data(), taken=st.booleans())
    def answer_a_letter(self, data: st.DataObject, *, taken: bool) -> None:
        consumer, log_id = data.draw(st.sampled_from(self.unanswered_letters()))
        letter, _ = consumer.dead_letters.open[log_id]
        if taken:
            self.is_written(letter)
            self.delivered.add(letter.record.offset)  # it is completed
            self.loop.settle(lambda: consumer.dead_letters.acknowledge(log_id))
        else:
            self.loop.settle(lambda: consumer.dead_letters.refuse(log_id))

    @precondition(lambda self: self.strays)
    @rule(written=st.booleans())
    def an_abandoned_letter_is_written_late_or_never(self, *, written: bool) -> None:
        letter = self.strays.pop(0)
        if written:
            self.is_written(letter)

    # -- the table

    @precondition(lambda self: self.accesses)
    @rule(data=st.data(), fails=st.sampled_from(["no"] * 6 + ["before", "after"]))
    def access(self, data: st.DataObject, fails: str) -> None:
        self.let_happen(data.draw(st.sampled_from(self.accesses)), fails)

    @precondition(lambda self: self.accesses)
    @rule(most=st.integers(2, 6))
    def accesses_in_their_order(self, most: int) -> None:
        for _ in range(most):
            if self.accesses:
                self.let_happen(self.accesses[0])

    @rule(number=st.integers(0, 1))
    def a_whole_look(self, number: int) -> None:
        self.look(number)
        client = self.consumers[number].control
        while mine := [access for access in self.accesses if access.client is client]:
            self.let_happen(mine[0])

    def let_happen(self, access: TableAccess, fails: str = "no") -> None:
        self.accesses.remove(access)
        self.loop.settle(lambda: self.do(access, fails))
        self.look_at_operators()

    def do(self, access: TableAccess, fails: str) -> None:
        if fails != "before" and access.key is not None:
            self.table.pop(access.key, None)
            if access.text is not None:
                self.table[access.key] = access.text
        if access.done.done():
            return  # its client is gone
        if fails == "no":
            access.done.set_result(dict(self.table))
        else:
            access.done.set_exception((PublishFailed if access.key else TransportUnusable)("the log is away"))

    # -- operators

    @precondition(lambda self: len(self.operators) < 4)
    @rule(log_id=st.sampled_from(["a", "a", "b", "c", "never"]))
    def ask(self, log_id: str) -> None:
        self.loop.now += 0.01  # no two at the same moment: which of them is acted on must not depend on their random ids
        name = f"op{len(self.operators)}"
        operator = Operator(name, log_id, self.accesses, self.dead)
        work = skip(operator, log_id, by=name, reason="it", within=WITHIN, stop=operator.stop, clock=self.loop.time)
        self.operators.append(operator)
        operator.task = self.loop.create_task(work)
        self.loop.settle()

    def asking(self) -> list[Operator]:
        return [operator for operator in self.operators if operator.task]

    @precondition(lambda self: self.asking())
    @rule(data=st.data())
    def interrupt(self, data: st.DataObject) -> None:
        self.loop.settle(data.draw(st.sampled_from(self.asking())).stop.set)

    @precondition(lambda self: self.asking() and self.steps % 3 == 0)
    @rule(data=st.data())
    def kill_the_command(self, data: st.DataObject) -> None:
        operator = data.draw(st.sampled_from(self.asking()))
        assert operator.task
        self.loop.settle(operator.task.cancel)
        operator.task = None

    def look_at_operators(self) -> None:
        for operator in self.asking():
            assert operator.task
            if operator.task.done():
                task, operator.task = operator.task, None
                self.is_told(operator, task)

    def is_told(self, operator: Operator, task: asyncio.Task[SkipReport]) -> None:
        if isinstance(task.exception(), PublishFailed | TransportUnusable):
            self.nothing.add(operator.name)
        else:
            outcome = task.result().outcome
            if outcome in NOTHING:
                self.nothing.add(operator.name)
            if outcome in (SkipOutcome.SET_ASIDE, SkipOutcome.BEFORE):
                assert operator.log_id in {letter.log_id for letter in self.dead}
            if outcome is SkipOutcome.DELIVERED:
                assert any(LOG[offset] == operator.log_id for offset in self.answered)
        if operator.name in self.nothing:
            known = [
                *self.dead,
                *self.strays,
                *(consumer.dead_letters.open[log_id][0] for consumer, log_id in self.unanswered_letters()),
            ]
            assert operator.name not in set(map(_operator_of, known)), "it was told that nothing was done"

    # -- consumers

    @rule(number=st.integers(0, 1))
    def look(self, number: int) -> None:
        consumer = self.consumers[number]
        if consumer.looking is None or consumer.looking.done():
            consumer.looking = self.loop.create_task(consumer.follower.look(consumer.control))
            self.loop.settle()

    def calls(self) -> list[tuple[Consumer, Call]]:
        return [(consumer, call) for consumer in self.consumers for call in consumer.webhook.open]

    @precondition(lambda self: self.calls())
    @rule(data=st.data(), good=st.sampled_from([False, False, True]))
    def call_ends(self, data: st.DataObject, *, good: bool) -> None:
        self.respond(*data.draw(st.sampled_from(self.calls())), good=good)

    def respond(self, consumer: Consumer, call: Call, *, good: bool) -> None:
        delivery: Any = call
        if good:
            self.delivered.add(delivery.record.offset)
            self.answered.add(delivery.record.offset)
        self.loop.settle(lambda: consumer.webhook.respond(call, Attempt(200 if good else 500)))

    @precondition(lambda self: self.steps % 4 == 0)
    @rule(seconds=st.sampled_from([6.0, 6.0, 12.0, 100.0]))
    def much_time_passes(self, seconds: float) -> None:
        self.time_passes(seconds)

    @rule(seconds=st.sampled_from([0.6, 2.0]))
    def time_passes(self, seconds: float) -> None:
        self.loop.now += seconds
        self.loop.settle()
        self.look_at_operators()

    # -- the partition comes and goes

    @precondition(lambda self: self.owner is None)
    @rule(number=st.integers(0, 1))
    def assign(self, number: int) -> None:
        """What was committed is not taken again."""
        self.owner = self.consumers[number]
        self.loop.settle(lambda: self.take(self.consumers[number]))

    def take(self, consumer: Consumer) -> None:
        partition = consumer.window.add(0, Position(0))
        for offset, log_id in enumerate(LOG):
            if offset not in self.ended:
                partition.ledger.take(offset)
                headers = [("v", b"1"), ("log-id", log_id.encode())]
                consumer.dispatcher.take(partition, Record(offset, b"key" if log_id in "ab" else b"other", b"{}", headers, 0.0))
        consumer.dispatcher.launch()

    @precondition(lambda self: self.owner and self.steps % 2 == 0)
    @rule(committed=st.booleans(), drained=st.booleans())
    def the_partition_goes(self, *, committed: bool, drained: bool) -> None:
        """Drained: its open calls end with 200 after it was marked as going, before it has gone."""
        assert self.owner
        consumer, self.owner = self.owner, None
        leaving = consumer.window.retire([0])
        self.loop.settle(consumer.dispatcher.drop_leaving)
        if drained:
            for call in list(consumer.webhook.open):
                self.respond(consumer, call, good=True)
        self.loop.settle(lambda: consumer.dispatcher.cancel(leaving))
        consumer.window.drop(leaving)
        self.loop.settle(consumer.dispatcher.drop_leaving)
        if committed:
            self.ended = set(self.delivered)

    @precondition(lambda self: self.steps % 5 == 0)  # else nothing has the time to become complicated
    @rule(number=st.integers(0, 1))
    def crash(self, number: int) -> None:
        """Nothing is committed; what it was writing may arrive."""
        consumer = self.consumers[number]
        if consumer.looking:
            consumer.looking.cancel()
        self.loop.settle(lambda: self.loop.create_task(consumer.dispatcher.close()))
        self.consumers[number] = Consumer(self)
        if self.owner is consumer:
            self.owner = None

    @invariant()
    def nothing_fails_unheard(self) -> None:
        self.steps += 1
        if hasattr(self, "loop"):
            assert not self.loop.problems
            for consumer in self.consumers:
                if consumer.looking and consumer.looking.done():
                    consumer.looking.result()

    # -- the end

    def teardown(self) -> None:
        if not hasattr(self, "loop"):
            return
        try:
            if sys.exc_info()[0] is None:
                self.everything_ends_once_all_is_well_again()
        finally:
            self.loop.end()

    def everything_ends_once_all_is_well_again(self) -> None:
        if self.owner is None:
            self.assign(0)
        for _ in range(60):
            self.time_passes(2.0)
            for number in range(2):
                self.look(number)
            while self.accesses:
                self.let_happen(self.accesses[0])
            for consumer, call in self.calls():
                self.respond(consumer, call, good=True)
            for consumer, log_id in self.unanswered_letters():
                self.is_written(consumer.dead_letters.open[log_id][0])
                self.loop.settle(partial(consumer.dead_letters.acknowledge, log_id))
        assert not self.asking(), "a command does not end"
        assert self.owner
        assert not self.owner.window.taken, "an event is not completed"
        self.time_passes(2000.0)
        self.look(0)
        while self.accesses:
            self.let_happen(self.accesses[0])
        assert self.table == {}, "a request is left behind"


def _operator_of(letter: DeadLetter) -> str:
    return letter.reason.removeprefix("skipped by ").partition(":")[0]


TestSkips = SkipsMachine.TestCase
