"""From a folder to a set of rules: the files, what is said about them, their configuration.

What one file has wrong is a `RejectedFile` beside the others; what concerns all of them raises.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from rules.loading.configuration import read_configuration
from rules.loading.deploy_cli import ExportedRule, read_exported
from rules.loading.files import FileUnusable, RejectedFile, candidates, read_folder, read_rule, read_text
from rules.loading.manifest import RulesManifest, parse_manifest
from rules.loading.yaml_file import YamlInvalid
from rules.rule import Rule, RuleSet
from shared.errors import ConfigurationError

MANIFEST: Final = "rules.yaml"
_LARGEST: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFolder:
    """What a folder holds."""

    path: Path
    #: In the order in which they run; those that are not enabled too.
    rule_set: RuleSet
    #: Not those that are not enabled.
    broken: Sequence[RejectedFile]
    #: Where order and `enabled` come from, for a person.
    ordered_by: str

    def rule(self, name: str) -> Rule | None:
        return next((rule for rule in self.rule_set.rules if rule.name == name), None)


def load_folder(folder: Path, configuration: Path | None = None) -> RuleFolder:
    """Reads RULES_DIR and RULES_CONFIGURATION. Raises `ConfigurationError` for what concerns all rules."""
    rules, broken = read_folder(folder)
    values = load_configuration(configuration)
    manifest = read_manifest(folder, [*(rule.name for rule in rules), *(one.name for one in broken)])
    if manifest is not None:
        ordered, broken, ordered_by = _by_manifest(rules, broken, manifest), _not_disabled(broken, manifest), MANIFEST
    else:
        ordered, broken, ordered_by = _by_exports(rules, broken)
    pins, since = (manifest.modules, manifest.since) if manifest else ({}, None)
    rule_set = RuleSet(rules=tuple(ordered), configuration=values, modules=pins, since=since)
    return RuleFolder(path=folder, rule_set=rule_set, broken=broken, ordered_by=ordered_by)


def load_files(paths: Sequence[Path]) -> Sequence[Rule]:
    """Reads a chain of single files, in this order. Raises `ConfigurationError` with a line for each that cannot be used."""
    rules: dict[str, Rule] = {}
    problems = []
    for path in paths:
        try:
            rule = read_rule(path)
        except FileUnusable as error:
            problems.append(str(error))
            continue
        if first := rules.get(rule.name):
            problems.append(f"{path}: {first.path} has the same name; a rule is known by its name, so rename one")
        rules[rule.name] = replace(rule, order=len(rules))
    if problems:
        raise ConfigurationError(problems)
    return tuple(rules.values())


def load_configuration(path: Path | None) -> Mapping[str, Any]:
    """Reads RULES_CONFIGURATION; None: there is none. Raises `ConfigurationError`."""
    if path is None:
        return {}
    try:
        return read_configuration(path)
    except FileUnusable as error:
        raise ConfigurationError(str(error).splitlines()) from None


def read_manifest(folder: Path, names: Sequence[str]) -> RulesManifest | None:
    """Reads `rules.yaml`; None where there is none. Raises `ConfigurationError`."""
    path = folder / MANIFEST
    other = path.with_suffix(".yml")
    if not path.is_symlink() and not path.exists():
        if other.exists():
            raise ConfigurationError([f"{other}: is not read; rename it to {MANIFEST}"])
        return None
    try:
        return parse_manifest(read_text(path, _LARGEST, MANIFEST), frozenset(names))
    except FileUnusable as error:
        raise ConfigurationError([str(error)]) from None
    except YamlInvalid as error:
        raise ConfigurationError([f"{path}:{error.line}: {error}"]) from None


def rule_names(folder: Path) -> Sequence[str]:
    """Returns the names that `rules.yaml` of the folder may use, without a look into the files. Raises `ConfigurationError`."""
    return [path.stem for path in candidates(folder)]


def _by_manifest(rules: Sequence[Rule], broken: Sequence[RejectedFile], manifest: RulesManifest) -> Sequence[Rule]:
    said = {entry.name: entry for entry in manifest.rules}
    names = [rule.name for rule in rules] + [one.name for one in broken]
    places = {name: place for place, name in enumerate((*said, *(name for name in names if name not in said)))}
    ordered = []
    for rule in rules:
        changed = replace(rule, order=places[rule.name], events=manifest.events)
        if entry := said.get(rule.name):
            events = entry.events or manifest.events
            changed = replace(changed, enabled=entry.enabled, events=events, timeout=entry.timeout, on_error=entry.on_error)
        ordered.append(changed)
    return sorted(ordered, key=lambda rule: rule.order)


def _not_disabled(broken: Sequence[RejectedFile], manifest: RulesManifest) -> Sequence[RejectedFile]:
    disabled = {entry.name for entry in manifest.rules if not entry.enabled}
    return [one for one in broken if one.name not in disabled]


def _by_exports(rules: Sequence[Rule], broken: Sequence[RejectedFile]) -> tuple[Sequence[Rule], Sequence[RejectedFile], str]:
    """Rules that an export gives no place run after the others."""
    paths = {rule.name: rule.path.with_suffix(".json") for rule in rules}
    paths |= {one.name: one.path.with_suffix(".json") for one in broken}
    said, faulty = _exports(paths)
    disabled = {name for name, export in said.items() if not export.enabled}
    places = {name: export.order for name, export in said.items() if export.order is not None}
    usable = [rule for rule in rules if rule.name not in {one.name for one in faulty}]
    ordered = sorted(usable, key=lambda rule: (places.get(rule.name, math.inf), rule.name))
    placed = [replace(rule, order=place, enabled=rule.name not in disabled) for place, rule in enumerate(ordered)]
    kept = [one for one in broken if one.name not in disabled]
    return placed, [*kept, *faulty], "NAME.json" if said else "names"


def _exports(paths: Mapping[str, Path]) -> tuple[Mapping[str, ExportedRule], Sequence[RejectedFile]]:
    said: dict[str, ExportedRule] = {}
    faulty = []
    for name, path in paths.items():
        try:
            exported = read_exported(path)
        except FileUnusable as error:
            faulty.append(RejectedFile(name=name, path=path, problem=str(error)))
        else:
            said |= {name: exported} if exported else {}
    return said, faulty
