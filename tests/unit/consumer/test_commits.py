"""How much a kill at any moment would repeat, and how often positions are stored: the worker, millisecond by millisecond."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

import pytest
from structlog.testing import capture_logs

from admin.health import not_ready
from consumer.policy import Policy
from consumer.scheduling.circuit_breaker import Breaker
from consumer.webhook import Attempt, Call
from consumer.worker import Worker
from shared.backoff import Backoff
from shared.record import Record
from shared.transport.port import PartitionRecords, Position
from shared.words import Ordering
from tests.unit.consumer.manual import ManualLoop, ManualTransport, ManualWebhook

ROUND_TRIP: Final = 0.005  # seconds that a commit takes
INTERVAL: Final = 1.0


class WorkerSetup:
    """One partition and a webhook that answers 200 after `latency` seconds; `rate` events a second are published, None: all."""

    def __init__(self, loop: ManualLoop, *, calls: int, latency: float, rate: float | None = None, window: int = 1_000) -> None:
        self.loop = loop
        self.latency = latency
        self.rate = rate
        self.began = loop.now
        self.webhook = ManualWebhook(lambda call: self.due.append((loop.now + latency, call)))
        self.due: list[tuple[float, Call]] = []
        self.transport = ManualTransport(lambda _limit, _hold: (), self.store)
        self.transport.poll = self.poll  # type: ignore[method-assign]
        self.cursor = 0
        self.answered = 0
        #: When each that is done and not stored was answered.
        self.uncommitted: list[float] = []
        self.commits = 0
        #: Seconds that each poll takes; 0: as it is asked to.
        self.slow = 0.0
        self.works = True
        self.worker = Worker(
            webhook=self.webhook,
            policy=Policy(backoff=Backoff(base=1.0, cap=8.0), ordering=Ordering.NONE),
            breaker=Breaker(failures=1_000, probe_interval=5, longest=20),
            window=window,
            commit_interval=INTERVAL,
            drain_timeout=1.0,
            clock=loop.time,
        )
        self.worker._session = self.transport.session
        loop.settle(lambda: self.worker.assigned(0, Position(0)))
        loop.settle(lambda: self.worker.share(calls))
        self.turning = loop.create_task(self.turns())

    async def turns(self) -> None:
        while True:
            await self.worker.turn(self.transport)

    async def poll(self, *, wait: float, limit: int, paused: Collection[int]) -> Sequence[PartitionRecords]:
        published = 10**9 if self.rate is None else int((self.loop.now - self.began) * self.rate)
        count = 0 if paused else min(limit, published - self.cursor)
        if self.slow or not count:
            await asyncio.sleep(self.slow or wait)
            return []
        first, self.cursor = self.cursor, self.cursor + count
        headers = [("v", b"1"), ("log-id", b"%d" % first)]
        return [PartitionRecords(0, [Record(offset, b"", b"{}", headers, 0.0) for offset in range(first, self.cursor)])]

    def store(self, _positions: Mapping[int, Position]) -> asyncio.Future[bool]:
        self.commits += 1
        answer, known = self.loop.create_future(), len(self.uncommitted)
        self.loop.call_later(ROUND_TRIP, self.stored, answer, known)
        return answer

    def stored(self, answer: asyncio.Future[bool], known: int) -> None:
        if self.works:
            del self.uncommitted[:known]
        answer.set_result(self.works)

    def milliseconds(self, count: int) -> Iterator[None]:
        for _ in range(count):
            self.loop.now += 0.001
            self.loop.settle(self.answer)
            assert not self.loop.problems
            yield

    def answer(self) -> None:
        while self.due and self.due[0][0] <= self.loop.now + 1e-9:
            self.answered += 1
            self.uncommitted.append(self.loop.now)
            self.webhook.respond(self.due.pop(0)[1], Attempt(200))

    @property
    def repeats(self) -> int:
        """What a kill at this moment would repeat: the open calls may have been answered already."""
        return len(self.uncommitted) + len(self.webhook.open)


@pytest.fixture
def loop() -> Iterator[ManualLoop]:
    loop = ManualLoop()
    with capture_logs():  # writing them would take longer than all the rest
        yield loop
    loop.end()


@pytest.mark.parametrize("window", [1_000, 100, 60])
@pytest.mark.parametrize(("calls", "latency"), [(5, 0.010), (5, 0.025), (1, 0.002)])
def test_up_to_500_events_a_second_a_kill_repeats_60_at_most(loop: ManualLoop, calls: int, latency: float, window: int) -> None:
    setup = WorkerSetup(loop, calls=calls, latency=latency, window=window)
    for _ in setup.milliseconds(2_000):
        assert setup.repeats <= 60
    assert setup.answered > 2 * 0.9 * calls / latency
    assert window <= 100 or setup.commits <= 2 * 10 + 1  # a smaller window would stand still


@pytest.mark.parametrize(("calls", "latency"), [(20, 0.010), (50, 0.010), (100, 0.1)])
def test_above_that_a_kill_repeats_a_tenth_of_a_second_and_the_open_calls(loop: ManualLoop, calls: int, latency: float) -> None:
    setup = WorkerSetup(loop, calls=calls, latency=latency)
    for _ in setup.milliseconds(1_000):
        # Responses come all at once here, every `latency`.
        assert setup.repeats <= calls / latency * (0.1 + ROUND_TRIP) + 2 * calls
    assert setup.commits <= 10 + 1


def test_no_event_waits_for_its_commit_longer_than_the_interval_however_few_there_are(loop: ManualLoop) -> None:
    setup = WorkerSetup(loop, calls=5, latency=0.010, rate=3)
    for _ in setup.milliseconds(5_000):
        assert all(loop.now - answered <= INTERVAL + ROUND_TRIP + 0.002 for answered in setup.uncommitted)
    assert setup.answered >= 12
    assert setup.commits <= 5


def test_what_ends_during_a_poll_that_takes_long_is_stored_meanwhile(loop: ManualLoop) -> None:
    """A poll lasts as long as a drain does, when other partitions move."""
    setup = WorkerSetup(loop, calls=1, latency=0.3)
    for _ in setup.milliseconds(10):
        pass
    assert setup.webhook.open
    setup.slow = 60.0
    for _ in setup.milliseconds(4_000):
        assert all(loop.now - answered <= INTERVAL + ROUND_TRIP + 0.002 for answered in setup.uncommitted)
    assert setup.answered >= 12


def test_where_nothing_can_be_stored_it_is_tried_once_an_interval(loop: ManualLoop) -> None:
    setup = WorkerSetup(loop, calls=5, latency=0.010)
    setup.works = False
    for _ in setup.milliseconds(3_000):
        assert setup.repeats <= 1_000
    assert setup.commits == 3  # the first of them for 50 events
    setup.works = True
    for _ in setup.milliseconds(1_200):
        pass
    assert setup.repeats <= 60


@pytest.mark.parametrize("gone", [True, False])
def test_commits_that_fail_for_long_make_it_not_ready_until_one_works_or_their_partition_is_gone(
    loop: ManualLoop, gone: bool
) -> None:
    setup = WorkerSetup(loop, calls=5, latency=0.010, rate=3)
    setup.works = False
    for _ in setup.milliseconds(2_000):
        assert not_ready([setup.worker]) == []
    loop.now += 30
    for _ in setup.milliseconds(10):
        assert not_ready([setup.worker]) == [f"positions cannot be committed: {setup.worker.commits_fail_for:.0f} s"]
    setup.works = not gone
    if gone:
        loop.settle(lambda: setup.worker.lost([0]))
        setup.due.clear()
        loop.settle(lambda: setup.worker.share(0))  # another member has them all
    for _ in setup.milliseconds(1_100):
        pass
    assert not_ready([setup.worker]) == []


def test_what_a_commit_raises_ends_the_loop(loop: ManualLoop) -> None:
    setup = WorkerSetup(loop, calls=5, latency=0.010)
    setup.store = lambda _positions: loop.create_task(refuse())  # type: ignore[method-assign]
    setup.transport._store = setup.store

    async def refuse() -> bool:
        raise LookupError("a bug")

    for _ in setup.milliseconds(1_000):
        pass
    assert isinstance(setup.turning.exception(), LookupError)
