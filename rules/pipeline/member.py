"""The member `rules` of what is delivered: what the rules of an event did, in JSON of a bounded size. Pure.

A result that cannot be said counts as failed, and the member then says so. What rules print is no reason to fail: it is left out
first.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from rules.difference import patch_between
from rules.outcome import ChainRun, ConsoleLine, RuleOutcome, Step
from shared.event_rules import LARGEST

#: All of a context that the member tells of.
REPORTED: Final = ("idToken", "accessToken", "multifactor", "redirect")
_CLAIMS: Final = {"id_token": "idToken", "access_token": "accessToken"}
_encode: Final = json.JSONEncoder(separators=(",", ":"), allow_nan=False, ensure_ascii=True).encode
_LEFT_OUT: Final = ConsoleLine(level="warn", text="what it printed is left out: the result would be too large with it")
#: Steps that are listed where the result is too large: a name has at most 255 bytes.
_MOST_STEPS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedRun:
    """A chain as it is delivered."""

    #: Failed where its result cannot be.
    run: ChainRun
    #: At most `LARGEST` bytes.
    member: bytes

    @property
    def said(self) -> dict[str, Any]:
        """The member as values."""
        found: dict[str, Any] = json.loads(self.member)
        return found


def reported(before: Mapping[str, Any], run: ChainRun) -> ReportedRun:
    """Returns what is said about a run; `before` is the user that it was given."""
    if problem := _claims_problem(run.context):
        run = _failed(before, run, problem)
    for candidate in (run, _without_console(run)):
        try:
            member = _encoded(before, candidate)
        except (ValueError, RecursionError):
            return _report_of(before, _failed(before, run, "what it left cannot be said in JSON"))
        if len(member) <= LARGEST:
            return ReportedRun(run=run, member=member)
    return _report_of(before, _failed(before, run, f"its result is larger than {LARGEST // 1024} kB"))


def document(before: Mapping[str, Any], run: ChainRun) -> dict[str, Any]:
    """Returns the member as JSON values."""
    return {
        "claims": {name: run.context.get(member) or {} for name, member in _CLAIMS.items()},
        "user": patch_between(before, run.user),
        "decision": _decision(run),
        "rules": list(map(step_document, run.steps)),
    }


def step_document(step: Step) -> dict[str, Any]:
    """Returns what is said of one rule of a chain."""
    return {
        "rule": step.rule,
        "outcome": step.outcome.value,
        "milliseconds": step.milliseconds,
        "error": step.error,
        "console": [{"level": line.level, "text": line.text} for line in step.console],
    }


def _decision(run: ChainRun) -> dict[str, Any] | None:
    """What the rules asked for that did not happen, since the login is over; None: nothing."""
    decision: dict[str, Any] = {}
    if denied := run.denied:
        decision["deny"] = {"rule": denied[0], "message": denied[1]}
    if run.multifactor not in (None, False, 0, ""):  # to JavaScript {} is true
        decision["multifactor"] = run.multifactor
    match run.redirect:
        case {"url": str(url)} if url:
            decision["redirect"] = {"url": url}
    return decision or None


def _encoded(before: Mapping[str, Any], run: ChainRun) -> bytes:
    return _encode(document(before, run)).encode("ascii")


def _claims_problem(context: Mapping[str, Any]) -> str:
    """A rule that removes the tokens adds no claims; one that puts something else there has done what Auth0 did not take."""
    wrong = [member for member in _CLAIMS.values() if not isinstance(context.get(member, {}), dict | None)]
    return f"it left context.{wrong[0]} as something that is no object" if wrong else ""


def _without_console(run: ChainRun) -> ChainRun:
    steps = tuple(replace(step, console=(_LEFT_OUT,)) if step.console else step for step in run.steps)
    return replace(run, steps=steps)


def _failed(before: Mapping[str, Any], run: ChainRun, problem: str) -> ChainRun:
    """The run with nothing of its result. What stopped it stays as it is; else its last rule is to blame, which saw all of it."""
    steps = [Step(rule=step.rule, outcome=step.outcome, milliseconds=step.milliseconds) for step in run.steps[-_MOST_STEPS:]]
    if run.outcome is RuleOutcome.KEPT:
        place = max((place for place, step in enumerate(steps) if step.outcome is RuleOutcome.KEPT), default=-1)
        steps[place] = replace(steps[place], outcome=RuleOutcome.FAILED, error=problem)
    else:
        steps[-1] = replace(steps[-1], error=run.steps[-1].error, console=(ConsoleLine(level="warn", text=problem),))
    outcome = RuleOutcome.FAILED if run.outcome is RuleOutcome.KEPT else run.outcome
    return ChainRun(outcome=outcome, user=before, context={}, steps=tuple(steps))


def _report_of(before: Mapping[str, Any], run: ChainRun) -> ReportedRun:
    return ReportedRun(run=run, member=_encoded(before, run))
