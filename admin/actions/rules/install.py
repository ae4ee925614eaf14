"""The modules that the rules of a folder need, brought into RULES_MODULES."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from admin.actions.rules.folder import folder_of
from rules.analysis.needs import needs
from rules.loading.folder import load_folder
from rules.modules.install import install
from rules.modules.installed import InstalledModules, wanted_version
from rules.modules.manifest import Module, ModuleManifest, manifest_of
from rules.modules.required import ModuleState, NeededModule, needed_modules, state, to_install, why_unknown
from rules.rule import Rule
from shared.settings import RulesSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleRow:
    """One module for output; `rules` need it."""

    module: str
    rules: Sequence[str]
    #: Empty for one that is not in the manifest.
    version: str = ""
    #: Why it is left out.
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    folder: str
    installed: Sequence[ModuleRow]
    #: Were there before.
    present: Sequence[ModuleRow]
    #: In neither the manifest nor `modules:` of `rules.yaml`, or not served by the registry.
    left_out: Sequence[ModuleRow]


def install_modules(settings: RulesSettings, given: Path | None = None) -> Installation:
    """Raises `ConfigurationError` for a folder that cannot be used, and `EnvironmentUnusable` for npm and its registry."""
    path = folder_of(settings, given)
    rule_set = load_folder(path).rule_set
    manifest, folder = manifest_of(rule_set.modules), settings.modules(path)
    needed = {rule: needed_modules(needs(rule.source), manifest) for rule in rule_set.rules}
    wanted = to_install([one for modules in needed.values() for one in modules], manifest)
    report = install(folder, wanted)
    users = _users(needed, manifest)
    rows = {module: ModuleRow(module=str(module), rules=users[module], version=version) for module, version in wanted.items()}
    not_served = [replace(rows[module], reason=reason) for module, reason in report.not_served.items()]
    return Installation(
        folder=str(folder),
        installed=[rows[module] for module in report.installed],
        present=[rows[module] for module in report.present],
        left_out=[*not_served, *_unknown(needed, manifest, InstalledModules(folder))],
    )


def _users(needed: Mapping[Rule, Sequence[NeededModule]], manifest: ModuleManifest) -> Mapping[Module, list[str]]:
    """Returns the names of the rules by the module that is installed for them."""
    users: dict[Module, list[str]] = {}
    for rule, modules in needed.items():
        for one in modules:
            if one.module and (wanted := wanted_version(one.module, manifest)):
                users.setdefault(wanted[0], []).append(rule.name)
    return {module: list(dict.fromkeys(names)) for module, names in users.items()}


def _unknown(
    needed: Mapping[Rule, Sequence[NeededModule]], manifest: ModuleManifest, installed: InstalledModules
) -> Iterator[ModuleRow]:
    users: dict[str, list[str]] = {}
    reasons: dict[str, str] = {}
    for rule, modules in needed.items():
        for one in modules:
            if state(one, manifest, installed) is ModuleState.UNKNOWN:
                users.setdefault(one.specifier, []).append(rule.name)
                reasons[one.specifier] = why_unknown(one, manifest)
    return (ModuleRow(module=name, rules=list(dict.fromkeys(rules)), reason=reasons[name]) for name, rules in users.items())
