"""A result that a rule process sends, or a rule in its name."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.outcome import ChainRun, ConsoleLine, OutgoingCall, RuleOutcome, Step
from rules.processes import results
from rules.processes.protocol import FrameBroken

STEP = {
    "rule": "a",
    "outcome": "kept",
    "milliseconds": 1.5,
    "error": None,
    "console": [["log", "x"]],
    "calls": [{"method": "GET", "url": "http://x/", "status": 200, "error": ""}],
}
MESSAGE = {"is": "result", "outcome": "kept", "user": {"a": 1}, "context": None, "steps": [STEP]}
_JUNK = (
    st.none()
    | st.integers()
    | st.just(10**400)
    | st.just(1e999)
    | st.text()
    | st.lists(st.integers())
    | st.dictionaries(st.text(), st.integers())
)


def test_a_result_becomes_values_and_what_could_not_be_sent_is_as_handed_in() -> None:
    step = Step(
        rule="a",
        outcome=RuleOutcome.KEPT,
        milliseconds=1.5,
        console=(ConsoleLine(level="log", text="x"),),
        calls=(OutgoingCall(method="GET", url="http://x/", status=200),),
    )
    run = ChainRun(outcome=RuleOutcome.KEPT, user={"a": 1}, context={"b": 2}, steps=(step,))
    assert results.chain_run(MESSAGE, ["a"], {}, {"b": 2}) == run


@given(name=st.sampled_from(sorted(MESSAGE)), junk=_JUNK, inside=st.sampled_from(["", *STEP]))
def test_any_other_message_is_an_error_that_its_session_knows(name: str, junk: Any, inside: str) -> None:
    message: dict[str, Any] = {**MESSAGE, "steps": [{**STEP, inside: junk}]} if inside else {**MESSAGE, name: junk}
    try:
        run = results.chain_run(message, ["a"], {}, {})
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError):
        return
    assert isinstance(run, ChainRun)
    assert isinstance(run.user, dict)


@pytest.mark.parametrize("steps", [[], [{**STEP, "rule": "b"}], [STEP, STEP], [{**STEP, "outcome": "fine"}]])
def test_steps_of_another_chain_are_no_result(steps: list[dict[str, Any]]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        results.chain_run({**MESSAGE, "steps": steps}, ["a"], {}, {})


def test_a_broken_frame_is_an_error_of_its_own() -> None:
    assert not issubclass(FrameBroken, LookupError | TypeError | ValueError | ArithmeticError | AttributeError)
