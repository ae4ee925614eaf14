"""The rules of a folder, for an operator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rules.fingerprint import fingerprint
from rules.loading.files import RejectedFile
from rules.loading.folder import RuleFolder, load_folder
from rules.rule import DEFAULT_EVENTS, Rule, RuleKind
from shared.errors import ConfigurationError
from shared.settings import RulesSettings
from shared.suggestions import nearest


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleRow:
    """One file of the folder, for output."""

    rule: str
    #: `runs`, `disabled` or `broken`.
    state: str
    kind: RuleKind
    file: str
    #: Type codes, in the order of the alphabet.
    events: tuple[str, ...] = ()
    #: Seconds; None: only the chain's bound.
    timeout: float | None = None
    on_error: str | None = None
    #: A whole line; empty for what can run.
    problem: str = ""


def folder_of(settings: RulesSettings, given: Path | None = None) -> Path:
    """Returns the folder that was given, else RULES_DIR. Raises `ConfigurationError` for neither."""
    folder = given or settings.folder
    if folder is None:
        raise ConfigurationError(["RULES_DIR is not set: the folder with the rules. For example RULES_DIR=acme-rules"])
    return folder


def load(settings: RulesSettings, given: Path | None = None) -> RuleFolder:
    """Raises `ConfigurationError`."""
    return load_folder(folder_of(settings, given), settings.configuration)


def rows(folder: RuleFolder) -> list[RuleRow]:
    """Returns what runs, in its order, and then what cannot."""
    return [*map(_usable, folder.rule_set.rules), *map(_broken, folder.broken)]


def hash_of(settings: RulesSettings, folder: RuleFolder) -> str:
    """Returns the hash that a consumer with these settings shows, of the rules that can run."""
    return fingerprint(folder.rule_set, timeout=settings.timeout, on_error=settings.on_error)


def find(folder: RuleFolder, name: str) -> Rule:
    """Raises `ConfigurationError` for a rule that cannot be used, or is not there."""
    if rule := folder.rule(name):
        return rule
    raise ConfigurationError(list(_why_not(folder, name)))


def _why_not(folder: RuleFolder, name: str) -> Iterator[str]:
    problems = [one.problem for one in folder.broken if one.name == name]
    if problems:
        yield from problems
        return
    names = [row.rule for row in rows(folder)]
    meant = name.removesuffix(".js") if name.removesuffix(".js") in names else nearest(name, names)
    hint = f"did you mean {meant}?" if meant else "`auth0-webhooks rules list` lists them"
    yield f"there is no rule {name[:80]!r} in {folder.path}; {hint}"


def _usable(rule: Rule) -> RuleRow:
    return RuleRow(
        rule=rule.name,
        state="runs" if rule.enabled else "disabled",
        kind=rule.kind,
        file=str(rule.path),
        events=tuple(sorted(rule.events or DEFAULT_EVENTS)),
        timeout=rule.timeout,
        on_error=rule.on_error,
    )


def _broken(broken: RejectedFile) -> RuleRow:
    return RuleRow(rule=broken.name, state="broken", kind=broken.kind, file=str(broken.path), problem=broken.problem)
