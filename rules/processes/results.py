"""A result as a rule process sends it, as values. Pure.

Raises `LookupError`, `TypeError`, `ValueError`, `ArithmeticError` or `AttributeError` for what is none: a rule may have written
it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rules.outcome import ChainRun, ConsoleLine, OutgoingCall, RuleOutcome, Step
from shared.masking import masked

_CHAIN_OUTCOMES: Final = frozenset(RuleOutcome) - {RuleOutcome.SWITCHED_OFF}


def chain_run(message: Mapping[str, Any], chain: Sequence[str], user: Mapping[str, Any], context: Mapping[str, Any]) -> ChainRun:
    """Returns the run of that chain; `user` and `context` as handed in stand for what could not be sent."""
    outcome, steps = RuleOutcome(message["outcome"]), tuple(map(_step, message["steps"]))
    whole = outcome is not RuleOutcome.KEPT or len(steps) == len(chain)
    if not whole or outcome not in _CHAIN_OUTCOMES or [step.rule for step in steps] != list(chain[: len(steps)]):
        raise ValueError(f"{outcome} of {[step.rule for step in steps]}")
    return ChainRun(
        outcome=outcome, user=_object(message["user"], user), context=_object(message["context"], context), steps=steps
    )


def _object(value: object, otherwise: Mapping[str, Any]) -> Mapping[str, Any]:
    if value is None:
        return otherwise
    if not isinstance(value, dict):
        raise TypeError(type(value).__name__)
    return value


def _step(fields: Mapping[str, Any]) -> Step:
    error = fields["error"]
    return Step(
        rule=str(fields["rule"]),
        outcome=RuleOutcome(fields["outcome"]),
        milliseconds=float(fields["milliseconds"]),
        error=None if error is None else masked(str(error)),
        console=tuple(ConsoleLine(level=str(level), text=masked(str(text))) for level, text in fields["console"]),
        calls=tuple(map(_call, fields["calls"])),
    )


def _call(fields: Mapping[str, Any]) -> OutgoingCall:
    status = fields["status"]
    return OutgoingCall(
        method=str(fields["method"]),
        url=masked(str(fields["url"])),
        status=None if status is None else int(status),
        error=masked(str(fields["error"])),
    )
