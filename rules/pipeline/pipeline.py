"""The rules of a consumer: which events they look at, the chain of an event, what is delivered of it, and what holds it back.

It implements the port that the consumer calls (`shared/event_rules.py`). The rules are those of the start: what changes in their
folder is seen at the next one.
"""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from rules.fingerprint import fingerprint
from rules.login import Logins
from rules.observer import RulesObserver
from rules.outcome import ChainRun, RuleOutcome, Step
from rules.pipeline.broken import compile_problems, handle_broken
from rules.pipeline.chains import Chain, Chains
from rules.pipeline.login_run import run_login
from rules.pipeline.member import REPORTED, ReportedRun, reported
from rules.pipeline.policy import culprit, failure_of, reason_of
from rules.rule import Rule, RuleSet
from rules.runner import RuleRunner
from rules.tenant.profiles import ProfileUnavailable
from shared.event_rules import EventRules, RulesResult
from shared.log_throttle import LogThrottle
from shared.logging import get_logger
from shared.observers import all_of
from shared.record import Record
from shared.words import OnBroken, OnError

#: Line breaks in texts too: other programs write to the topic.
_decode: Final = json.JSONDecoder(strict=False).decode

log = get_logger(__name__)


class RulePipeline(EventRules):
    """`rules` are those that are to run, `timeout` in seconds for all of an event: its user is asked for in that time, too."""

    def __init__(
        self,
        rules: RuleSet,
        runner: RuleRunner,
        logins: Logins,
        *,
        timeout: float,
        on_error: OnError = OnError.DELIVER,
        on_broken: OnBroken = OnBroken.STOP,
        observers: Sequence[RulesObserver] = (),
        on_close: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._rules = rules
        self._runner = runner
        self._logins = logins
        self._timeout = timeout
        self._on_error = on_error
        self._on_broken = on_broken
        self._on_close = on_close
        self._observer = all_of(RulesObserver, *observers)
        self._use(rules.rules)
        self._throttle = LogThrottle()
        self._own_member_seen = False

    @property
    def switched_off(self) -> frozenset[str]:
        return self._runner.switched_off

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    @property
    def since(self) -> datetime | None:
        return self._rules.since

    async def start(self) -> None:
        try:
            broken = await self._runner.start(self._rules)
            handle_broken(compile_problems(broken, self._rules.rules), self._on_broken)
        except BaseException:
            await self.close()
            raise
        names = {one.name for one in broken}
        usable = tuple(rule for rule in self._rules.rules if rule.name not in names)
        self._use(usable)
        since = self._rules.since.isoformat() if self._rules.since else None
        log.info("rules run on events", rules=[rule.name for rule in usable], since=since)

    def looks_at(self, record: Record) -> bool:
        return bool(self._chains.of(record))

    async def run(self, record: Record, log_id: str) -> RulesResult | None:
        chain = self._chains.of(record)
        entry = _entry(record)
        if not chain or (entry is not None and not _has_user(entry)):
            return None
        began = time.monotonic()
        report = await self._report(entry, log_id, chain)
        self._observer.chain_ended(report.run, time.monotonic() - began)
        self._log(report.run, entry, log_id)
        return RulesResult(member=report.member, failure=failure_of(report.run, chain, self._on_error))

    def under_way(self, log_id: str) -> str | None:
        return self._runner.under_way(log_id)

    async def close(self) -> None:
        await self._runner.close()
        if self._on_close is not None:
            await self._on_close()

    def _use(self, rules: Sequence[Rule]) -> None:
        """Those of the rules that run."""
        self._chains = Chains(rules, self._rules.since)
        running = replace(self._rules, rules=tuple(rules))
        self._fingerprint = fingerprint(running, timeout=self._timeout, on_error=self._on_error)

    async def _report(self, entry: Mapping[str, Any] | None, log_id: str, chain: Chain) -> ReportedRun:
        if entry is None:
            return reported({}, _not_run(chain, "the event is no JSON object"))
        try:
            return await run_login(self._runner, self._logins, chain, entry, log_id, within=self._timeout, wanted=REPORTED)
        except ProfileUnavailable as error:
            return reported({}, _not_run(chain, str(error)))
        except Exception as error:
            # The consumer holds the event, and knows no more than that.
            log.error("rules ended unexpectedly: a bug; please report it", log_id=log_id, exc_info=error)
            raise

    def _log(self, run: ChainRun, entry: Mapping[str, Any] | None, log_id: str) -> None:
        now = time.monotonic()
        if (step := culprit(run)) and self._throttle.allows((step.rule, step.outcome), now):
            log.warning("a rule failed on an event", log_id=log_id, reason=reason_of(step), left_out=self._throttle.left_out)
        if entry and "rules" in entry and not self._own_member_seen:
            self._own_member_seen = True
            log.warning("an event has a member rules of its own; ours comes behind it (said once)", log_id=log_id)


def _entry(record: Record) -> Mapping[str, Any] | None:
    """Returns the log entry; None where it is none. Bytes that are no UTF-8 are replaced: rules get text."""
    try:
        entry = _decode((record.value or b"").decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) else None


def _has_user(entry: Mapping[str, Any]) -> bool:
    return isinstance(entry.get("user_id"), str) and entry["user_id"] != ""


def _not_run(chain: Chain, reason: str) -> ChainRun:
    """A chain that failed before its first rule, which is the one that failed then."""
    step = Step(rule=chain[0].name, outcome=RuleOutcome.FAILED, error=reason)
    return ChainRun(outcome=RuleOutcome.FAILED, user={}, context={}, steps=(step,))
