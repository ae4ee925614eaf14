"""A rule process with its rules loaded: the chains that are under way in it, and how they end, also when it does not."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from rules.outcome import ChainRun
from rules.processes import results
from rules.processes.job import Job, LoginUnsendable, Loss, ProcessLost, SessionSetup, UncompiledRule
from rules.processes.patient_timers import PatientTimers
from rules.processes.probe import probe_server
from rules.processes.process import RuleProcess
from rules.processes.protocol import FrameBroken
from rules.tenant.host import HostCallFailed
from shared.errors import EnvironmentUnusable
from shared.logging import get_logger
from shared.masking import excerpt

#: Seconds in which a process has to be ready; its rules' files are compiled then, and run as far as they are no functions.
READY_TIMEOUT: Final = 15.0
#: Seconds after a chain's deadline in which its process has to say so itself.
GRACE: Final = 0.5
#: The same where it has been silent before.
_LEAST_GRACE: Final = 0.05
_PING_EVERY: Final = 0.25
#: Seconds without a word after which a process gets no more chains.
_SILENCE: Final = 1.0
#: Seconds for a call of `auth0` that a chain makes after its end.
_LATE_CALL: Final = 20.0
#: Of the time of a chain, what it waits for a token: a rule that needs none runs all the same.
_SHARE_OF_TOKEN: Final = 0.25
#: Seconds for a token at the start of a process; a chain asks again.
_TOKEN_AT_START: Final = 2.0

#: Chains that left work behind, and bytes of V8's heap and of buffers in use, from which on a process is worn out. The heap ends
#: at 128 MB, the address space at 2 GB.
_WORN_LEFT: Final = 50
_WORN_HEAP: Final = 96 * 1024**2
_WORN_BUFFERS: Final = 1024**3
#: Chains before which memory says nothing: what the rules load is no leak.
_WORN_AFTER: Final = 100

log = get_logger(__name__)

T = TypeVar("T")


class StartFailed(EnvironmentUnusable):
    """It could not be started, or ended at its start: the next one may do better."""


@dataclass(slots=True, kw_only=True)
class _UnderWay:
    job: Job
    result: asyncio.Future[ChainRun]
    #: When its time is over, by the loop's clock.
    until: float
    rule: int = 0
    #: When that rule began, by the loop's clock.
    since: float


class RuleSession:
    """`on_change` is called when a chain or the process ends."""

    def __init__(self, setup: SessionSetup, on_change: Callable[[], None]) -> None:
        self.broken: tuple[UncompiledRule, ...] = ()
        #: It gets no more chains.
        self.silent = False
        self.lost = False
        #: It would break before long: it gets no more chains where another one can take its place.
        self.worn = False
        self._closing = False
        self._setup = setup
        self._on_change = on_change
        self._process: RuleProcess | None = None
        self._under_way: dict[int, _UnderWay] = {}
        self._numbers = itertools.count(1)
        loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[dict[str, Any]] = loop.create_future()
        self._probed: asyncio.Future[list[str]] = loop.create_future()
        #: When the first ping that has no word after it was sent; 0: there is none.
        self._asked = 0.0
        self._loss = Loss.DIED
        #: Chains that ended and left work behind, which may be the reason for whatever comes.
        self._left = 0
        self._runs = 0
        self._facts: Mapping[str, str] = {}
        self._watching: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def load(self) -> int:
        """Chains under way."""
        return len(self._under_way)

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    @property
    def clean(self) -> bool:
        """No chain was in it that could be the reason for its loss."""
        return not (self.lost or self.silent or self._left or self._under_way)

    def under_way(self, event: str) -> str | None:
        """Returns the rule that runs on that event, as far as the process told; None: the event is not here."""
        return next((one.job.chain[one.rule] for one in self._under_way.values() if one.job.event == event), None)

    async def start(self, *, probe: bool = False) -> None:
        """Waits until the rules are loaded. Raises `EnvironmentUnusable`."""
        setup = self._setup
        try:
            self._process = await RuleProcess.start(setup.command, on_message=self._on_message, on_end=self._on_end)
            if probe:
                await self._probe()
            self._facts = await setup.host.facts(_TOKEN_AT_START)
            self._send(setup.message(self._facts))
            ready = await self._within(READY_TIMEOUT, self._ready, "did not get ready")
        except (OSError, RuntimeError) as error:  # RuntimeError: the limit of threads or processes is reached
            raise StartFailed(f"no rule process can be started: {error}") from None
        except ProcessLost as lost:
            raise StartFailed(f"a rule process ended at its start: {setup.command.gone or lost}") from None
        self.broken = tuple(
            UncompiledRule(name=one["name"], message=excerpt(one["message"], 500), line=one["line"]) for one in ready["broken"]
        )

    async def _probe(self) -> None:
        async with probe_server() as url:
            self._send({"is": "probe", "url": url})
            problems = await self._within(READY_TIMEOUT, self._probed, "gave no result of its probe")
        if problems:
            raise EnvironmentUnusable(f"rules cannot run here, under the limits of a rule process: {'; '.join(problems)}")

    async def run(self, job: Job, until: float) -> ChainRun:
        """Returns what came of it, at the latest `GRACE` after `until`, by the loop's clock. It takes its place at once.

        Raises `ProcessLost` and `LoginUnsendable`.
        """
        loop = asyncio.get_running_loop()
        number, now = next(self._numbers), loop.time()
        under_way = _UnderWay(job=job, result=loop.create_future(), until=until, since=now)
        self._under_way[number] = under_way
        timers = PatientTimers(GRACE)
        try:
            await self._renew_token((until - now) * _SHARE_OF_TOKEN)
            under_way.since = loop.time()
            left = max(0.0, until - under_way.since)
            self._send_run(number, job, left)
            # Its own timers speak before both of these: else no turn of its loop has come.
            timers.call_later(left + _LEAST_GRACE, self._kill_if_silent)
            timers.call_later(left + GRACE, self._kill)
            self._keep_watching()
            return await under_way.result
        finally:
            timers.cancel()
            self._under_way.pop(number, None)
            self._on_change()

    async def close(self) -> None:
        """Kill the process, wait for its end."""
        self._closing = True
        for task in [*self._tasks, *filter(None, [self._watching])]:
            task.cancel()
        if self._process is not None:
            await self._process.close()

    async def _within(self, seconds: float, result: asyncio.Future[T], what: str) -> T:
        try:
            return await asyncio.wait_for(result, seconds)
        except TimeoutError:
            await self.close()
            raise EnvironmentUnusable(f"a rule process {what} within {seconds:g} s: does the file of a rule loop?") from None

    def _send(self, message: Mapping[str, Any]) -> None:
        if self._process is None or self.lost:
            raise ProcessLost(Loss.DIED, "the process was gone before", began=False)
        self._process.send(message)

    def _send_run(self, number: int, job: Job, timeout: float) -> None:
        message = {
            "is": "run",
            "id": number,
            "chain": job.chain,
            "user": job.user,
            "context": job.context,
            "timeout": round(timeout * 1000),
            "wanted": job.wanted,
        }
        try:
            self._send(message)
        except (ValueError, TypeError, RecursionError) as error:
            raise LoginUnsendable(f"user and context are no JSON: {excerpt(str(error), 200)}") from None

    def _keep_watching(self) -> None:
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        """Ask it for a word while chains are under way, and see whether one comes."""
        while self._under_way and not self.lost:
            self._send({"is": "ping"})
            self._asked = self._asked or time.monotonic()
            await asyncio.sleep(_PING_EVERY)
            before, self.silent = self.silent, self._silence > _SILENCE
            if before != self.silent:
                self._on_change()
        self.silent = False

    async def _renew_token(self, within: float) -> None:
        facts = await self._setup.host.facts(within)
        if facts != self._facts:
            self._facts = facts
            self._send({"is": "facts", "auth0": facts})

    @property
    def _silence(self) -> float:
        """Seconds since the ping that has no word after it. Counted from there: when this loop is late, so are its pings."""
        return time.monotonic() - self._asked if self._asked else 0.0

    def _kill_if_silent(self) -> None:
        if self._silence > _PING_EVERY:
            self._kill()

    def _kill(self) -> None:
        if self._process is not None and not self.lost:
            self._loss = Loss.HUNG
            self._process.kill("it did not respond any more and was killed")

    # Called by the process.

    def _on_message(self, message: dict[str, Any]) -> None:
        self._asked = 0.0
        try:
            self._handle(message)
        except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
            raise FrameBroken(f"a message that makes no sense ({message['is']}: {excerpt(repr(error), 100)})") from None

    def _handle(self, message: dict[str, Any]) -> None:
        match message["is"]:
            case "result":
                self._on_result(message)
            case "call":
                self._start(self._call(message["call"], message["id"], str(message["method"]), list(message["args"])))
            case "at":
                self._on_rule(message["id"], message["rule"])
            case "late":
                log.warning("a rule failed after its chain was over", rule=message["rule"], error=excerpt(message["text"], 500))
            case "ready":
                _resolve(self._ready, message)
            case "probed":
                _resolve(self._probed, [str(line) for line in message["problems"]])
            case "pong":
                for number, rule in message["at"]:
                    self._on_rule(number, rule)
                if self._runs >= _WORN_AFTER and (message["heap"] > _WORN_HEAP or message["buffers"] > _WORN_BUFFERS):
                    self._wear_out("its memory is nearly full")
            case unknown:
                raise ValueError(unknown)

    def _on_rule(self, number: int, rule: int) -> None:
        """That rule of the chain is at work."""
        if (under_way := self._under_way.get(number)) is not None:
            under_way.rule = range(len(under_way.job.chain))[rule]
            under_way.since = asyncio.get_running_loop().time()

    def _on_result(self, message: dict[str, Any]) -> None:
        under_way = self._under_way.get(message["id"])
        if under_way is None:  # cancelled meanwhile
            return
        result = results.chain_run(message, under_way.job.chain, under_way.job.user, under_way.job.context)
        self._runs += 1
        self._left += bool(message["left"])
        if self._left >= _WORN_LEFT:
            self._wear_out("many chains left work behind in it")
        _resolve(under_way.result, result)

    def _wear_out(self, reason: str) -> None:
        """A leak would end it under the chains that are in it then."""
        if not self.worn:
            self.worn = True
            log.info("a rule process is replaced", pid=self.pid, chains=self._runs, reason=reason)
            self._on_change()

    def _on_end(self, reason: str) -> None:
        self.lost = True
        certain = self._loss is Loss.HUNG and len(self._under_way) == 1 and not self._left
        if self._under_way and not certain and not self._closing:
            log.warning("a rule process was lost", chains=self.load, reason=reason)
        for future in (self._ready, self._probed):
            _reject(future, ProcessLost(self._loss, reason))
        now = asyncio.get_running_loop().time()
        for one in self._under_way.values():
            milliseconds = round((now - one.since) * 1000, 3)
            _reject(one.result, ProcessLost(self._loss, reason, rule=one.rule, milliseconds=milliseconds, certain=certain))
        self._on_change()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _call(self, call: int, chain: int | None, method: str, args: list[Any]) -> None:
        under_way = self._under_way.get(chain) if chain is not None else None
        timeout = under_way.until - asyncio.get_running_loop().time() if under_way else _LATE_CALL
        answer: dict[str, Any] = {"is": "return", "call": call}
        try:
            answer["value"] = await self._setup.host.call(method, args, timeout)
        except HostCallFailed as error:
            answer["error"] = {"message": str(error), "status": error.status}
        if not self.lost:
            self._send(answer)


def _resolve(future: asyncio.Future[T], value: T) -> None:
    if not future.done():
        future.set_result(value)


def _reject(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
        future.exception()  # without this, one that is not waited for would be logged as a fault
