"""What came of a chain of rules: values, and nothing that computes or waits.

What a rule asks of a login (another factor, a redirect) is no outcome of its own: it is in `context` and reported beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class RuleOutcome(StrEnum):
    #: It called back without an error; `user` and `context` may be changed.
    KEPT = "kept"
    #: It called back with an `UnauthorizedError`: at Auth0 the login would have been refused.
    DENIED = "denied"
    #: Any other error, a string given as error, an exception, a rejected promise, a result that cannot be sent.
    FAILED = "failed"
    #: No callback in time, or its process did not respond any more and was killed.
    TIMED_OUT = "timed_out"
    #: Its process ended under it.
    CRASHED = "crashed"
    #: A step only: it crashed or hung on several events and is left out until the next start.
    SWITCHED_OFF = "switched_off"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingCall:
    """One HTTP request that a rule made."""

    method: str
    #: Without the password of its user info.
    url: str
    #: None: no response arrived before the chain ended.
    status: int | None = None
    #: Why there is no response; empty where there is one.
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleLine:
    #: `log`, `info`, `warn`, `error`, `debug`.
    level: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One rule of a chain."""

    rule: str
    outcome: RuleOutcome
    #: From the call of the rule to its callback.
    milliseconds: float = 0.0
    #: Why it was not kept. On a kept step: what went wrong after its callback.
    error: str | None = None
    console: tuple[ConsoleLine, ...] = ()
    calls: tuple[OutgoingCall, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainRun:
    """A whole chain. The steps end with the rule that stopped it; rules behind that one did not run."""

    outcome: RuleOutcome
    #: As the rules left them; as they were handed in where they cannot be sent, or the process was lost.
    user: Mapping[str, Any]
    context: Mapping[str, Any]
    steps: tuple[Step, ...]

    @property
    def denied(self) -> tuple[str, str] | None:
        """The rule that denied, and its message."""
        last = self.steps[-1] if self.steps else None
        return (last.rule, last.error or "") if last and last.outcome is RuleOutcome.DENIED else None

    @property
    def multifactor(self) -> Any:
        """What a rule put into `context.multifactor`; None where no rule asked for another factor."""
        return self.context.get("multifactor")

    @property
    def redirect(self) -> Any:
        """What a rule put into `context.redirect`; None where no rule asked for a redirect."""
        return self.context.get("redirect")
