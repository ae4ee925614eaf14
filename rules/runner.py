"""Runs chains of rules in rule processes: one that hangs or crashes is replaced, and the chains that were in it run again.

After a loss it is not known which of the chains under way was the reason. Each runs again, alone, in the quarantine process; the
one that takes that down too is the reason. Innocent chains may so repeat what they did outside, as after any crash. A chain that
was alone in a process that hung needs no second run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from rules.outcome import ChainRun, RuleOutcome, Step
from rules.processes.job import ChainChanged, ChainOverdue, Job, LoginUnsendable, Loss, ProcessLost, SessionSetup, UncompiledRule
from rules.processes.pool import Quarantine, SessionPool
from rules.processes.process import ProcessCommand
from rules.processes.strikes import Strikes
from rules.rule import Rule, RuleSet
from rules.tenant.host import DryHost, NoHost, RuleHost
from shared.errors import EnvironmentUnusable
from shared.logging import get_logger

TIMEOUT: Final = 20.0  # seconds a chain, as at Auth0

log = get_logger(__name__)


class RuleRunner:
    """`command` starts a rule process; `modules` is the folder of the rules' modules; `timeout` in seconds, for a whole chain;
    `processes`: how many share the chains. In a dry run no request leaves a rule process. `clock` in seconds."""

    def __init__(
        self,
        command: ProcessCommand,
        *,
        modules: Path | None = None,
        host: RuleHost | None = None,
        timeout: float = TIMEOUT,
        processes: int = 1,
        dry_run: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._command = command
        self._modules = modules
        self._host: RuleHost = DryHost() if dry_run else host or NoHost()
        self._timeout = timeout
        self._processes = processes
        self._dry_run = dry_run
        self._clock = clock
        self._strikes = Strikes()
        self._names: frozenset[str] = frozenset()
        self._pool: SessionPool | None = None
        self._quarantine: Quarantine | None = None

    @property
    def switched_off(self) -> frozenset[str]:
        """Rules that crashed or hung on several events."""
        return self._strikes.switched_off

    @property
    def pids(self) -> list[int]:
        """The rule processes that take chains."""
        return self._pool.pids if self._pool else []

    def under_way(self, event: str) -> str | None:
        """Returns the rule that runs on that event at the moment, at most a quarter of a second late; None: none does."""
        found = self._pool.under_way(event) if self._pool else None
        return found or (self._quarantine.under_way(event) if self._quarantine else None)

    async def start(self, rules: RuleSet) -> tuple[UncompiledRule, ...]:
        """Waits until the rules are loaded. Returns those that do not compile; where they run, they fail.

        Raises `EnvironmentUnusable`.
        """
        setup = SessionSetup(
            command=self._command,
            rules=[_wire(rule) for rule in rules.rules],
            configuration=rules.configuration,
            modules=str(self._modules.resolve()) if self._modules else None,
            dry_run=self._dry_run,
            host=self._host,
        )
        for line in self._command.unlimited:
            log.warning("a seat belt of rules is missing", reason=line)
        self._names = frozenset(rule.name for rule in rules.rules)
        self._pool, self._quarantine = SessionPool(setup, self._processes), Quarantine(setup)
        return await self._pool.start()

    async def run(
        self,
        chain: Sequence[str],
        user: Mapping[str, Any],
        context: Mapping[str, Any],
        *,
        event: str,
        timeout: float | None = None,
        wanted: Sequence[str] | None = None,
    ) -> ChainRun:
        """Returns what came of it. `event` is the log id, by which one that comes again is known; `timeout` in seconds;
        `wanted`: the members of `context` that the run has to have at the end; None: all.

        Raises `ValueError` for a rule that was not loaded.
        """
        if unknown := set(chain) - self._names:
            raise ValueError(f"not loaded: {', '.join(sorted(unknown))}")
        whole = Job(
            chain=chain,
            user=user,
            context=context,
            event=event,
            timeout=self._timeout if timeout is None else timeout,
            wanted=wanted,
        )
        while True:
            off = self.switched_off
            job = replace(whole, chain=[rule for rule in chain if rule not in off]) if off else whole
            with suppress(ChainChanged):
                run = await self._outcome(job)
                return _with_switched_off(run, chain, off) if off else run

    async def close(self) -> None:
        """End every rule process, and the host; chains under way crash."""
        for part in (self._quarantine, self._pool):
            if part is not None:
                await part.close()
        await self._host.close()

    async def _outcome(self, job: Job) -> ChainRun:
        if not job.chain:
            return ChainRun(outcome=RuleOutcome.KEPT, user=job.user, context=job.context, steps=())
        try:
            return await self._run(job)
        except EnvironmentUnusable as error:
            return _failed(job, 0, RuleOutcome.CRASHED, str(error))
        except ChainOverdue as error:
            return _failed(job, 0, RuleOutcome.TIMED_OUT, str(error))
        except LoginUnsendable as error:
            return _failed(job, 0, RuleOutcome.FAILED, str(error))

    async def _run(self, job: Job) -> ChainRun:
        if self._pool is None or self._quarantine is None:
            raise RuntimeError("the rule runner was not started")
        try:
            return await self._pool.run(job, self._is_current)
        except ProcessLost as lost:
            if lost.certain:
                return self._culprit(job, lost)
        try:
            return await self._quarantine.run(job, self._is_current)
        except ProcessLost as lost:
            return self._culprit(job, lost)

    def _is_current(self, job: Job) -> bool:
        return self.switched_off.isdisjoint(job.chain)

    def _culprit(self, job: Job, lost: ProcessLost) -> ChainRun:
        rule, outcome = job.chain[lost.rule], RuleOutcome.TIMED_OUT if lost.loss is Loss.HUNG else RuleOutcome.CRASHED
        log.warning("a rule took its process down", rule=rule, log_id=job.event, outcome=outcome.value, reason=str(lost))
        if self._strikes.add(rule, job.event, self._clock()):
            log.error("rule switched off until the next start: it crashed or hung on several events", rule=rule)
        return _failed(job, lost.rule, outcome, f"its process was lost: {lost}", lost.milliseconds)


def _wire(rule: Rule) -> dict[str, Any]:
    timeout = None if rule.timeout is None else round(rule.timeout * 1000)
    return {"name": rule.name, "path": str(rule.path), "source": rule.source, "timeout": timeout}


def _failed(job: Job, place: int, outcome: RuleOutcome, error: str, milliseconds: float = 0.0) -> ChainRun:
    before = [Step(rule=rule, outcome=RuleOutcome.KEPT) for rule in job.chain[:place]]
    last = [Step(rule=rule, outcome=outcome, milliseconds=milliseconds, error=error) for rule in job.chain[place : place + 1]]
    return ChainRun(outcome=outcome, user=job.user, context=job.context, steps=(*before, *last))


def _with_switched_off(run: ChainRun, chain: Sequence[str], off: frozenset[str]) -> ChainRun:
    return replace(run, steps=tuple(_steps(run, chain, off)))


def _steps(run: ChainRun, chain: Sequence[str], off: frozenset[str]) -> Iterator[Step]:
    """The steps in the order of the chain, up to the one that stopped it."""
    ran = iter(run.steps)
    for rule in chain:
        step = Step(rule=rule, outcome=RuleOutcome.SWITCHED_OFF) if rule in off else next(ran, None)
        if step is None:
            return
        yield step
        if step.outcome not in (RuleOutcome.KEPT, RuleOutcome.SWITCHED_OFF):
            return
