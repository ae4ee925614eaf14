"""A rule and a set of rules, as values: what the folder holds, and what a runner is started with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from shared.words import OnError


class RuleKind(StrEnum):
    """What a file of the rules' folder is."""

    #: `function (user, context, callback)`.
    RULE = "rule"
    #: `exports.onExecutePostLogin = …`: not supported yet.
    ACTION = "action"
    #: No function at all.
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    #: The file's name without `.js`.
    name: str
    path: Path
    source: str
    kind: RuleKind = RuleKind.RULE
    #: Its place in the chain, ascending; rules of one place go by name.
    order: int = 0
    enabled: bool = True
    #: Log types that it runs on; None: the default ones.
    events: frozenset[str] | None = None
    #: Seconds for this rule alone, within the chain's; None: the chain's.
    timeout: float | None = None
    #: What becomes of an event when this rule failed; None: what holds for all rules.
    on_error: OnError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """Everything that a runner gets at its start. `rules` are in the order in which they run."""

    rules: tuple[Rule, ...]
    #: The global `configuration` of the rules; values may be secrets.
    configuration: Mapping[str, Any] = field(default_factory=dict)
    #: Pins of one's own: module to exact version.
    modules: Mapping[str, str] = field(default_factory=dict)
    #: Events that are older run no rule.
    since: datetime | None = None


#: Events that a rule runs on where nothing says otherwise. Auth0 documents no such list: it is ours.
DEFAULT_EVENTS: Final = frozenset({"s", "ssa", "sens", "sepft", "seotpft", "seoobft", "sercft", "sertft"})
