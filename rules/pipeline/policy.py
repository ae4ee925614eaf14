"""What becomes of an event whose chain failed. Pure."""

from __future__ import annotations

from typing import Final

from rules.outcome import ChainRun, RuleOutcome, Step
from rules.pipeline.chains import Chain
from shared.event_rules import RulesFailure
from shared.masking import excerpt
from shared.words import OnError

#: A rule that denied has done its job.
FAILURES: Final = {
    RuleOutcome.FAILED: "failed",
    RuleOutcome.TIMED_OUT: "took too long",
    RuleOutcome.CRASHED: "crashed",
}
_LONGEST: Final = 300  # characters of an error


def culprit(run: ChainRun) -> Step | None:
    """Returns the step that made the chain fail; None: it did not."""
    return next((step for step in run.steps if step.outcome in FAILURES), None)


def failure_of(run: ChainRun, chain: Chain, on_error: OnError) -> RulesFailure | None:
    """Returns what keeps the event from being delivered; `on_error` is for the rules that do not say otherwise."""
    step = culprit(run)
    if step is None:
        return None
    said = next((rule.on_error for rule in chain if rule.name == step.rule), None)
    policy = said or on_error
    return None if policy is OnError.DELIVER else RulesFailure(on_error=policy, reason=reason_of(step))


def reason_of(step: Step) -> str:
    """Returns in words why a chain failed."""
    return f"rule {step.rule!r} {FAILURES[step.outcome]}: {excerpt(step.error or 'it did not say why', _LONGEST)}"
