"""Rules that cannot be loaded at the start: they stop the process, or the others run without them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from rules.loading.folder import RuleFolder
from rules.processes.job import UncompiledRule
from rules.rule import Rule, RuleSet
from shared.errors import ConfigurationError
from shared.logging import get_logger
from shared.words import OnBroken

_ADVICE: Final = "mend it, or give it `enabled: false` in rules.yaml; with RULES_ON_BROKEN=skip the other rules run without it"

log = get_logger(__name__)


def usable_rules(folder: RuleFolder, on_broken: OnBroken) -> RuleSet:
    """Returns the rules of a folder that are to run. Raises `ConfigurationError` for those that cannot, where that stops."""
    handle_broken([one.problem for one in folder.broken], on_broken)
    return replace(folder.rule_set, rules=tuple(rule for rule in folder.rule_set.rules if rule.enabled))


def compile_problems(broken: Sequence[UncompiledRule], rules: Sequence[Rule]) -> list[str]:
    """Returns a line for each rule that does not compile, with its file."""
    paths = {rule.name: rule.path for rule in rules}
    return [f"{paths[one.name]}{f':{one.line}' if one.line else ''}: does not compile: {one.message}" for one in broken]


def handle_broken(problems: Sequence[str], on_broken: OnBroken) -> None:
    """Raises `ConfigurationError` with all of them, or logs them. Each is a whole line."""
    if problems and on_broken is OnBroken.STOP:
        raise ConfigurationError([*problems, _ADVICE])
    for problem in problems:
        log.error("a rule cannot be loaded and does not run", reason=problem)
