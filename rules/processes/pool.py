"""The rule processes of one runner: as many as wanted are ready, and one that is lost or silent is replaced at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from rules.outcome import ChainRun
from rules.processes.job import ChainChanged, ChainOverdue, Job, ProcessLost, SessionSetup, UncompiledRule
from rules.processes.session import RuleSession, StartFailed
from rules.processes.stoppable_clock import StoppableClock
from shared.backoff import Doubling
from shared.errors import EnvironmentUnusable
from shared.logging import get_logger

#: Chains in one process at once; the others wait.
CHAINS: Final = 64
_PAUSES: Final = Doubling(0.1, 5.0)  # seconds between starts that fail
#: Starts that fail in a row before the start of a runner fails, or chains fail with them. A machine that is short of something
#: for a moment fails one or two, and without a wait all events of that moment would go out without their rules.
_STARTS: Final = 3

log = get_logger(__name__)


class SessionPool:
    """`size` processes. A silent or worn one keeps its chains and gets no more; there are never more than twice `size`."""

    def __init__(self, setup: SessionSetup, size: int) -> None:
        self._setup = setup
        self._size = size
        self._sessions: list[RuleSession] = []
        #: Held by the first of those that wait for a place: what changes wakes that one.
        self._turn = asyncio.Lock()
        self._changed = asyncio.Event()
        self._clock = StoppableClock()
        self._refill: asyncio.Task[None] | None = None
        self._error: EnvironmentUnusable | None = None
        #: One was started: what is lost is replaced from then on.
        self._begun = False
        self._closed = False
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def pids(self) -> list[int]:
        """The processes that take chains."""
        return [session.pid for session in self._takers()]

    def under_way(self, event: str) -> str | None:
        """Returns the rule that runs on that event."""
        return next(filter(None, (session.under_way(event) for session in self._sessions)), None)

    async def start(self) -> tuple[UncompiledRule, ...]:
        """Starts one process, and the others behind it. Returns the rules that do not compile.

        Raises `EnvironmentUnusable`, where processes ended at their start when several in a row did.
        """
        session = await self._first()
        self._sessions.append(session)
        self._begun = True
        self._on_change()
        return session.broken

    async def run(self, job: Job, is_current: Callable[[Job], bool]) -> ChainRun:
        """Waits for a place in a process, in the time of the chain.

        Raises `ChainChanged` where it is not current any more when its turn comes, `ChainOverdue`, `LoginUnsendable` and
        `ProcessLost`, and `EnvironmentUnusable` where no process can be started.
        """
        session = None if self._turn.locked() else self._free()
        if session is not None:
            return await session.run(job, asyncio.get_running_loop().time() + job.timeout)
        session, left = await self._place(job.timeout)
        if not is_current(job):
            raise ChainChanged
        return await session.run(job, asyncio.get_running_loop().time() + left)

    async def close(self) -> None:
        """End every process."""
        self._closed = True
        if self._refill is not None:
            self._refill.cancel()
            await asyncio.gather(self._refill, return_exceptions=True)
        await asyncio.gather(*self._tasks, *(session.close() for session in self._sessions), return_exceptions=True)
        self._changed.set()

    async def _place(self, seconds: float) -> tuple[RuleSession, float]:
        """Returns a process with a place, in turn, and the seconds that are left. It is to be taken before anything is awaited.

        While there is no process that responds, which a loop of another event may have taken, no time is spent.
        """
        try:
            async with self._clock.within(seconds) as limit, self._turn:
                while (session := self._free()) is None:
                    await self._change()
                until = limit.when()
                return session, seconds if until is None else until - asyncio.get_running_loop().time()
        except TimeoutError:
            raise ChainOverdue("no rule process had a place for it in its time") from None

    async def _change(self) -> None:
        """Waits until something may have changed. Raises `EnvironmentUnusable` where nothing will."""
        if self._closed:
            raise EnvironmentUnusable("the rule runner is closed")
        if self._error is not None:
            raise self._error
        self._changed.clear()
        await self._changed.wait()

    def _free(self) -> RuleSession | None:
        """Returns the process with the fewest chains under way; None: there is none with a place."""
        usable = [session for session in self._takers() if session.load < CHAINS]
        return min(usable, key=lambda session: session.load) if usable else None

    def _usable(self) -> list[RuleSession]:
        return [session for session in self._sessions if not (session.lost or session.silent or session.worn)]

    def _takers(self) -> list[RuleSession]:
        """A worn process takes chains only where no other one comes in its place."""
        alone = self._error is not None or len(self._sessions) >= 2 * self._size
        return self._usable() or (self._worn() if alone else [])

    def _worn(self) -> list[RuleSession]:
        return [session for session in self._sessions if session.worn and not (session.lost or session.silent)]

    def _on_change(self) -> None:
        self._changed.set()
        self._clock.set(runs=bool(self._takers()))
        if self._closed or not self._begun:
            return
        for session in [session for session in self._sessions if session.lost]:
            self._end(session)
        usable, worn = self._usable(), self._worn()
        idle = [session for session in (*worn, *usable) if not session.load]  # more than enough where a silent one came back
        for session in idle[: max(0, len(worn) + len(usable) - self._size)]:
            self._end(session)
        if len(self._usable()) < self._size and (self._refill is None or self._refill.done()):
            self._refill = asyncio.create_task(self._fill())

    async def _fill(self) -> None:
        failures = 0
        while len(self._usable()) < self._size and len(self._sessions) < 2 * self._size:
            try:
                session = await self._started()
            except EnvironmentUnusable as error:
                log.error("no rule process can be started; trying again", error=str(error))
                failures += 1
                if failures >= _STARTS:
                    self._error = error
                    self._changed.set()
                await asyncio.sleep(_PAUSES.after(failures))
            else:
                failures, self._error = 0, None
                self._sessions.append(session)
                self._on_change()

    async def _first(self) -> RuleSession:
        failures = 0
        while True:
            try:
                return await self._started(probe=True)
            except StartFailed as error:
                failures += 1
                if failures >= _STARTS:
                    raise
                log.warning("no rule process can be started; trying again", error=str(error))
            await asyncio.sleep(_PAUSES.after(failures))

    async def _started(self, *, probe: bool = False) -> RuleSession:
        session = RuleSession(self._setup, self._on_change)
        try:
            await session.start(probe=probe)
        except BaseException:
            await session.close()
            raise
        return session

    def _end(self, session: RuleSession) -> None:
        self._sessions.remove(session)
        self._background(session.close())

    def _background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class Quarantine:
    """Runs one chain at a time, in a process that no other chain was in that could be the reason for its loss."""

    def __init__(self, setup: SessionSetup) -> None:
        self._setup = setup
        self._session: RuleSession | None = None
        self._one = asyncio.Lock()
        self._waiting = 0
        self._closed = False

    def under_way(self, event: str) -> str | None:
        """Returns the rule that runs on that event."""
        return self._session.under_way(event) if self._session else None

    async def run(self, job: Job, is_current: Callable[[Job], bool]) -> ChainRun:
        """Raises `ProcessLost`, for which this chain alone is the reason, `EnvironmentUnusable`, and `ChainChanged`."""
        self._waiting += 1
        try:
            async with self._one:
                if not is_current(job):
                    raise ChainChanged
                return await self._run(job)
        finally:
            self._waiting -= 1
            if not self._waiting:
                await self._end()

    async def close(self) -> None:
        self._closed = True
        await self._end()

    async def _run(self, job: Job) -> ChainRun:
        failures = 0
        while True:
            try:
                return await (await self._clean()).run(job, asyncio.get_running_loop().time() + job.timeout)
            except EnvironmentUnusable:
                await self._end()  # one that never ran would pass for clean
                failures += 1
                if failures >= _STARTS or self._closed:
                    raise
                await asyncio.sleep(_PAUSES.after(failures))
            except ProcessLost as lost:
                if lost.began and not self._closed:
                    raise

    async def _clean(self) -> RuleSession:
        if self._closed:
            raise EnvironmentUnusable("the rule runner is closed")
        if self._session is None or not self._session.clean:
            await self._end()
            self._session = RuleSession(self._setup, lambda: None)
            await self._session.start()
        return self._session

    async def _end(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()
