"""The member `rules`: everything that a chain can leave fits into it, or is said to have failed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.outcome import ChainRun, ConsoleLine, RuleOutcome, Step
from rules.pipeline.member import document, reported
from rules.pipeline.policy import culprit
from shared.event_rules import LARGEST

BEFORE: Mapping[str, Any] = {"user_id": "auth0|1", "n": 1}
LINE = ConsoleLine(level="log", text="x" * 8000)


def _run(
    *outcomes: RuleOutcome,
    user: Mapping[str, Any] = BEFORE,
    context: Mapping[str, Any] | None = None,
    console: tuple[ConsoleLine, ...] = (),
    error: str = "no",
) -> ChainRun:
    """A chain of rules called a, b, c … with these outcomes."""
    steps = tuple(
        Step(rule=chr(97 + place), outcome=outcome, console=console, error=None if outcome is RuleOutcome.KEPT else error)
        for place, outcome in enumerate(outcomes)
    )
    outcome = next((one for one in reversed(outcomes) if one is not RuleOutcome.SWITCHED_OFF), RuleOutcome.KEPT)
    return ChainRun(outcome=outcome, user=user, context=context or {}, steps=steps)


KEPT, DENIED, FAILED, OFF = RuleOutcome.KEPT, RuleOutcome.DENIED, RuleOutcome.FAILED, RuleOutcome.SWITCHED_OFF

_TEXTS = st.one_of(st.text(max_size=20), st.sampled_from(["x", "\x01", "é", "漢", "\ud83d"]).flatmap(lambda c: st.just(c * 700)))
_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=6,
)
_CONTEXTS = st.fixed_dictionaries({}, optional=dict.fromkeys(("idToken", "accessToken", "multifactor", "redirect"), _VALUES))
_CONSOLES = st.lists(st.builds(ConsoleLine, level=st.just("log"), text=_TEXTS), max_size=8).map(tuple)


@settings(max_examples=50)
@given(
    before=st.dictionaries(_TEXTS, _VALUES, max_size=3),
    user=st.dictionaries(_TEXTS, _VALUES, max_size=3),
    context=_CONTEXTS,
    console=_CONSOLES,
    outcomes=st.tuples(st.lists(st.sampled_from([KEPT, OFF]), max_size=3), st.sampled_from([*RuleOutcome])),
    error=_TEXTS.map(lambda text: text[:50]),
)
def test_whatever_a_chain_leaves_the_member_is_json_of_a_bounded_size(
    before: Any, user: Any, context: Any, console: Any, outcomes: Any, error: str
) -> None:
    """With a bound that small texts reach."""
    run = _run(KEPT, *outcomes[0], outcomes[1], user=user, context=context, console=console, error=error)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rules.pipeline.member.LARGEST", 2048)
        found = reported(before, run)
    assert len(found.member) <= 2048
    assert found.member.isascii()
    said = json.loads(found.member, parse_constant=pytest.fail)
    assert said.keys() == {"claims", "user", "decision", "rules"}
    assert all(isinstance(said["claims"][name], dict) for name in ("id_token", "access_token"))
    expected = json.loads(json.dumps(document(before, found.run)))
    for step in (*said["rules"], *expected["rules"]):
        del step["console"]
    assert said == expected
    if found.run is not run and run.outcome is not KEPT:
        assert (found.run.outcome, found.run.denied) == (run.outcome, run.denied)
    assert (culprit(found.run) is None) == (found.run.outcome in (KEPT, DENIED))


@pytest.mark.parametrize(
    ("context", "decision"),
    [
        ({}, None),
        ({"multifactor": None, "redirect": None}, None),
        ({"multifactor": False, "redirect": {}}, None),
        ({"multifactor": {}}, {"multifactor": {}}),
        (
            {"multifactor": {"provider": "any"}, "redirect": {"url": "/x", "more": 1}},
            {"multifactor": {"provider": "any"}, "redirect": {"url": "/x"}},
        ),
        ({"redirect": {"url": 7}}, None),
        ({"redirect": {"url": ""}}, None),
    ],
)
def test_a_decision_is_what_rules_asked_for(context: Mapping[str, Any], decision: object) -> None:
    assert document(BEFORE, _run(KEPT, context=context))["decision"] == decision


def test_who_denied_stands_beside_what_was_asked_for_before() -> None:
    run = _run(KEPT, DENIED, context={"redirect": {"url": "/x"}}, error="not today")
    assert document(BEFORE, run)["decision"] == {"deny": {"rule": "b", "message": "not today"}, "redirect": {"url": "/x"}}


@pytest.mark.parametrize("token", ["idToken", "accessToken"])
@pytest.mark.parametrize(("value", "fine"), [({}, True), (None, True), ("x", False), ([], False), (0, False)])
def test_tokens_that_are_no_objects_have_failed_and_removed_ones_have_no_claims(token: str, value: object, fine: bool) -> None:
    found = reported(BEFORE, _run(KEPT, OFF, context={token: value}))
    assert json.loads(found.member)["claims"] == {"id_token": {}, "access_token": {}}
    assert [step.outcome for step in found.run.steps] == [KEPT if fine else FAILED, OFF]
    assert fine or f"context.{token}" in (found.run.steps[0].error or "")


def test_what_rules_print_is_left_out_before_a_result_is_too_large() -> None:
    found = reported(BEFORE, _run(KEPT, KEPT, KEPT, KEPT, KEPT, console=(LINE,) * 8, user={**BEFORE, "n": 2}))
    assert found.run.outcome is KEPT
    said = json.loads(found.member)
    assert said["user"] == {"n": 2}
    assert [[line["level"] for line in step["console"]] for step in said["rules"]] == [["warn"]] * 5


def test_a_result_that_is_too_large_has_failed_and_says_so() -> None:
    found = reported(BEFORE, _run(KEPT, KEPT, user={"much": "x" * LARGEST}, console=(LINE,)))
    assert [step.outcome for step in found.run.steps] == [KEPT, FAILED]
    assert found.run.steps[1].error == "its result is larger than 256 kB"
    assert json.loads(found.member)["user"] == {}
    assert len(found.member) < 1000


def test_an_event_that_was_denied_stays_denied_where_its_result_is_too_large() -> None:
    found = reported(BEFORE, _run(KEPT, DENIED, user={"much": "x" * LARGEST}))
    said = json.loads(found.member)
    assert said["decision"] == {"deny": {"rule": "b", "message": "no"}}
    assert said["rules"][1]["console"] == [{"level": "warn", "text": "its result is larger than 256 kB"}]
