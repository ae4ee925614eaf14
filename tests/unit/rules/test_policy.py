"""What becomes of an event whose chain failed: the word of the rule that failed, else that for all."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.outcome import ChainRun, RuleOutcome, Step
from rules.pipeline.policy import failure_of
from rules.rule import Rule
from shared.words import OnError

FAILED = (RuleOutcome.FAILED, RuleOutcome.TIMED_OUT, RuleOutcome.CRASHED)
_POLICIES = st.sampled_from([*OnError])


def _chain(*said: OnError | None) -> tuple[Rule, ...]:
    return tuple(Rule(name=f"r{place}", path=Path("r.js"), source="", on_error=one) for place, one in enumerate(said))


def _run(*outcomes: RuleOutcome, error: str | None = "no") -> ChainRun:
    steps = tuple(Step(rule=f"r{place}", outcome=outcome, error=error) for place, outcome in enumerate(outcomes))
    return ChainRun(outcome=outcomes[-1], user={}, context={}, steps=steps)


@given(
    before=st.lists(st.sampled_from([RuleOutcome.KEPT, RuleOutcome.SWITCHED_OFF]), max_size=3),
    last=st.sampled_from(RuleOutcome),
    said=st.lists(st.none() | _POLICIES, min_size=5, max_size=5),
    otherwise=_POLICIES,
)
def test_only_a_failed_rule_keeps_its_event_as_it_says_itself_or_else_as_is_said_for_all(
    before: list[RuleOutcome], last: RuleOutcome, said: list[OnError | None], otherwise: OnError
) -> None:
    failure = failure_of(_run(*before, last), _chain(*said), otherwise)
    policy = said[len(before)] or otherwise
    if last not in FAILED or policy is OnError.DELIVER:
        assert failure is None
    else:
        assert failure is not None
        assert failure.on_error is policy
        assert failure.reason.startswith(f"rule 'r{len(before)}' ")


@pytest.mark.parametrize(
    ("outcome", "error", "reason"),
    [
        (RuleOutcome.FAILED, "no", "rule 'r0' failed: no"),
        (RuleOutcome.TIMED_OUT, "no callback", "rule 'r0' took too long: no callback"),
        (RuleOutcome.CRASHED, None, "rule 'r0' crashed: it did not say why"),
        (RuleOutcome.FAILED, "x" * 1000, f"rule 'r0' failed: {'x' * 300}…"),
    ],
)
def test_a_reason_is_a_few_words(outcome: RuleOutcome, error: str | None, reason: str) -> None:
    failure = failure_of(_run(outcome, error=error), _chain(None), OnError.HOLD)
    assert failure is not None
    assert failure.reason == reason
