"""What the worker's machine plays: time, the webhook, the log. Small and real; nothing happens unless the machine says so."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Mapping, Sequence
from typing import Any

from consumer.dispatcher import Dispatcher
from consumer.observer import ConsumerObserver
from consumer.partitions.partition import Delivery
from consumer.partitions.window import Window
from consumer.policy import Policy
from consumer.scheduling.batch import Batching
from consumer.scheduling.circuit_breaker import Breaker
from consumer.webhook import Attempt, Call, OnResponse, Webhook
from shared.backoff import Backoff
from shared.documents import dead_letter
from shared.errors import PublishFailed
from shared.event_rules import EventRules, RulesResult
from shared.record import Headers, Record
from shared.transport.port import (
    Checkpoint,
    Consumers,
    DeadLetter,
    Member,
    PartitionRecords,
    Position,
    Progress,
    Publisher,
    Reader,
    RebalanceListener,
    Repeats,
    Row,
    Table,
    Transport,
)

_ROUNDS = 8  # of the loop; the longest chain of callbacks here takes four


class ManualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time stands still unless it is moved, and that never waits."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.problems: list[str] = []
        self.set_exception_handler(lambda _, context: self.problems.append(repr(context.get("exception", context["message"]))))

    def time(self) -> float:
        return self.now

    def settle(self, action: Callable[[], Any] = lambda: None, *, rounds: int = _ROUNDS) -> None:
        """Do it inside the loop, and let everything happen that follows from it without time passing."""

        async def act() -> None:
            action()
            for _ in range(rounds):
                await asyncio.sleep(0)

        self.run_until_complete(act())

    def end(self) -> None:
        """Forget everything that was going on."""
        for task in asyncio.all_tasks(self):
            task.cancel()
        self.settle()
        self.close()


class ManualWebhook(Webhook):
    """`sending` is told of each call that starts; `respond` ends one."""

    def __init__(self, sending: Callable[[Call], None]) -> None:
        self._sending = sending
        self.open: dict[Call, OnResponse] = {}

    def send(self, call: Call, on_response: OnResponse) -> None:
        self._sending(call)
        self.open[call] = on_response

    def cancel(self, call: Call) -> bool:
        del self.open[call]
        return True

    async def close(self) -> None:
        self.open.clear()

    def respond(self, call: Call, attempt: Attempt) -> None:
        self.open.pop(call)(call, attempt)


class ManualRules(EventRules):
    """Rules that look at every record with the header `rule`; `end` ends a chain, `starting` is told of each that starts."""

    switched_off = frozenset[str]()
    fingerprint = "0f"
    since = None

    def __init__(self, starting: Callable[[Record], None] = lambda record: None) -> None:
        self._starting = starting
        #: The chains under way.
        self.open: dict[str, asyncio.Future[RulesResult | None]] = {}
        #: How many chains were begun for each event, by this process.
        self.begun: Counter[str] = Counter()

    async def start(self) -> None:
        pass

    def looks_at(self, record: Record) -> bool:
        return any(name == "rule" for name, _ in record.headers)

    def run(self, record: Record, log_id: str) -> Coroutine[Any, Any, RulesResult | None]:
        self._starting(record)
        self.begun[log_id] += 1
        return self._run(log_id)

    async def _run(self, log_id: str) -> RulesResult | None:
        self.open[log_id] = asyncio.get_running_loop().create_future()
        try:
            return await self.open[log_id]
        finally:
            del self.open[log_id]

    def under_way(self, log_id: str) -> str | None:
        return "slack" if log_id in self.open else None

    def end(self, log_id: str, result: RulesResult | Exception | None) -> None:
        if isinstance(result, Exception):
            self.open[log_id].set_exception(result)
        else:
            self.open[log_id].set_result(result)

    async def close(self) -> None:
        pass


class ManualDeadLetters(Table):
    """Letters that are written and not acknowledged yet."""

    def __init__(self) -> None:
        self.open: dict[str, tuple[DeadLetter, asyncio.Future[None]]] = {}

    async def put(self, key: str, document: bytes) -> None:
        letter = dead_letter.parse(document)
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.open[letter.log_id] = letter, answer
        try:
            await answer
        finally:
            self.open.pop(letter.log_id, None)

    def acknowledge(self, log_id: str) -> DeadLetter:
        letter, answer = self.open.pop(log_id)
        answer.set_result(None)
        return letter

    def refuse(self, log_id: str) -> None:
        self.open.pop(log_id)[1].set_exception(PublishFailed("the log takes no letters"))

    async def delete(self, key: str) -> None:
        raise NotImplementedError

    def scan(self) -> AsyncIterator[Row]:
        raise NotImplementedError

    async def keys(self) -> Collection[str]:
        raise NotImplementedError

    async def snapshot(self) -> Mapping[str, bytes]:
        raise NotImplementedError

    async def close(self) -> None:
        pass


class ManualTransport(Transport, Member):
    """The log: a poll brings what `bring` says, a commit is what `store` makes of it, now or later."""

    session = 30.0

    def __init__(
        self,
        bring: Callable[[int, Collection[int]], Sequence[PartitionRecords]],
        store: Callable[[Mapping[int, Position]], bool | asyncio.Future[bool]],
        metadata_limit: int | None = None,
    ) -> None:
        self.metadata_limit = metadata_limit
        self._bring = bring
        self._store = store
        self.letters = ManualDeadLetters()

    async def poll(self, *, wait: float, limit: int, paused: Collection[int]) -> Sequence[PartitionRecords]:
        return self._bring(limit, paused)

    async def commit(self, positions: Mapping[int, Position]) -> bool:
        answer = self._store(positions)
        return answer if isinstance(answer, bool) else await answer

    async def dead_letters(self) -> Table:
        return self.letters

    async def retry_dead_letter(self, dead_letter: DeadLetter) -> bool:
        raise NotImplementedError

    async def reader(self) -> Reader:
        raise NotImplementedError

    async def consumers(self) -> Consumers:
        raise NotImplementedError

    async def retention(self) -> float | None:
        raise NotImplementedError

    async def checkpoint(self) -> Checkpoint | None:
        raise NotImplementedError

    async def set_checkpoint(self, checkpoint: Checkpoint, confirm: Callable[[Repeats], bool], *, force: bool = False) -> bool:
        raise NotImplementedError

    async def publisher(self) -> Publisher:
        raise NotImplementedError

    async def member(self, listener: RebalanceListener) -> Member:
        raise NotImplementedError

    async def control(self) -> Table:
        raise NotImplementedError

    async def progress(self) -> Mapping[int, Progress]:
        raise NotImplementedError

    async def close(self) -> None:
        pass


class DispatcherSetup:
    """A dispatcher that sends events in batches, or one by one."""

    def __init__(
        self,
        loop: ManualLoop,
        batching: Batching | None = None,
        *,
        max_attempts: int | None = None,
        calls: int = 1,
        failures: int = 1000,
        base: float = 8.0,
        dead_letters: ManualDeadLetters | None = None,
        rules: ManualRules | None = None,
    ) -> None:
        self.loop = loop
        #: Whether the process stands still for longer than its session as soon as it sends.
        self.blocks = False
        self.blocked = False
        self.webhook = ManualWebhook(self._sending)
        self.dead_letters = dead_letters or ManualDeadLetters()
        self.dispatcher = Dispatcher(
            webhook=self.webhook,
            policy=Policy(backoff=Backoff(base=base, cap=8.0), batching=batching, max_attempts=max_attempts),
            breaker=Breaker(failures=failures, probe_interval=5, longest=20),
            blocked=lambda: self.blocked,
            open_letters=self._open_letters,
            observer=ConsumerObserver(),
            rules=rules,
            jitter=lambda: 1.0,
            clock=loop.time,
        )
        self.window = Window(100, most=10, on_room=lambda: None)
        self.loop.settle(lambda: self.dispatcher.set_share(calls))

    def _sending(self, call: Call) -> None:
        self.blocked = self.blocks

    async def _open_letters(self) -> ManualDeadLetters:
        return self.dead_letters

    def take(self, number: int, log_id: str, *, key: bytes | None = None, headers: Headers = ()) -> Delivery:
        partition = self.window.owned.get(number) or self.window.add(number, Position(0))
        offset = len(partition.pending)
        partition.ledger.take(offset)
        ours = [("v", b"1"), ("log-id", log_id.encode()), ("type", b"s"), ("date", b""), ("tenant", b"")]
        record = Record(offset, key or log_id.encode(), b"{}", [*ours, *headers], 0.0)
        self.dispatcher.take(partition, record)
        return partition.pending[offset]
