"""What a rule process is started with, what it is given to run, and what can go wrong with it: values and errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from rules.processes.process import ProcessCommand
from rules.tenant.host import RuleHost


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSetup:
    """What every rule process is started with."""

    command: ProcessCommand
    rules: Sequence[Mapping[str, Any]]
    configuration: Mapping[str, Any]
    modules: str | None
    dry_run: bool
    host: RuleHost

    def message(self, facts: Mapping[str, str]) -> dict[str, Any]:
        """Returns the first message to a process; `facts` of the host."""
        return {
            "is": "init",
            "rules": self.rules,
            "configuration": self.configuration,
            "auth0": facts,
            "modules": self.modules,
            "dryRun": self.dry_run,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A chain to run. `timeout` in seconds; `wanted`: the members of `context` that are to come back; None: all."""

    chain: Sequence[str]
    user: Mapping[str, Any]
    context: Mapping[str, Any]
    event: str
    timeout: float
    wanted: Sequence[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UncompiledRule:
    """A rule that does not compile."""

    name: str
    message: str
    line: int | None


class Loss(Enum):
    #: It did not respond any more and was killed.
    HUNG = auto()
    #: It ended by itself.
    DIED = auto()


class ChainOverdue(Exception):
    """Its time was over before it could be sent to a process."""


class ChainChanged(Exception):
    """A rule of it was switched off while it waited: it has to begin anew, without that one."""


class LoginUnsendable(Exception):
    """`user` or `context` cannot be said in JSON."""


class ProcessLost(Exception):
    """The process is gone and the chain's result with it. `certain`: only this chain can be the reason."""

    def __init__(
        self, loss: Loss, reason: str, *, rule: int = 0, milliseconds: float = 0.0, certain: bool = False, began: bool = True
    ) -> None:
        super().__init__(reason)
        self.loss = loss
        #: False: it was gone before the chain was sent.
        self.began = began
        #: The place in the chain of the rule that was at work last, as far as the process told.
        self.rule = rule
        #: Since that rule began, as far as the process told.
        self.milliseconds = milliseconds
        self.certain = certain
