"""`rules check`: everything that can be known about the rules of a folder before they run."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from admin.actions.rules.folder import folder_of
from admin.compose_rules import rule_runner
from rules.analysis.needs import Use
from rules.check import Finding, RuleCheck, check_rule
from rules.loading.files import RejectedFile
from rules.loading.folder import RuleFolder, load_folder
from rules.modules.installed import InstalledModules
from rules.modules.manifest import manifest_of
from rules.rule import Rule, RuleKind
from shared.settings import RulesSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedFile:
    """One file of the folder. `check` is None for one that is no rule."""

    rule: str
    path: Path
    kind: RuleKind
    enabled: bool
    compiles: bool
    check: RuleCheck | None
    problems: Sequence[Finding]

    def lines(self) -> list[str]:
        """Returns a line for each problem, with file and line."""
        return [f"{self.path}{f':{one.line}' if one.line else ''}: {one.text}" for one in self.problems]


def check_folder(settings: RulesSettings, given: Path | None = None) -> Sequence[CheckedFile]:
    """Raises `ConfigurationError` for what concerns all rules, and `EnvironmentUnusable` without Node.js."""
    path = folder_of(settings, given)
    folder = load_folder(path, settings.configuration)
    against = asyncio.run(_load(settings, folder)) if folder.rule_set.rules else {}
    manifest, installed = manifest_of(folder.rule_set.modules), InstalledModules(settings.modules(path))
    configuration = folder.rule_set.configuration
    checks = {
        rule: check_rule(rule, manifest, installed, configuration, against.get(rule.name)) for rule in folder.rule_set.rules
    }
    return [*(_checked(rule, check, rule.name not in against) for rule, check in checks.items()), *map(_rejected, folder.broken)]


async def _load(settings: RulesSettings, folder: RuleFolder) -> Mapping[str, Finding]:
    """Has the rules loaded by a rule process. Returns what it says against some of them."""
    runner = rule_runner(settings, folder.path, dry_run=True)
    try:
        broken = await runner.start(folder.rule_set)
    finally:
        await runner.close()
    return {one.name: Finding(text=f"does not compile: {one.message}", line=one.line) for one in broken}


def _checked(rule: Rule, check: RuleCheck, compiles: bool) -> CheckedFile:
    problems = check.problems if rule.enabled else ()
    return CheckedFile(
        rule=rule.name, path=rule.path, kind=rule.kind, enabled=rule.enabled, compiles=compiles, check=check, problems=problems
    )


def _rejected(file: RejectedFile) -> CheckedFile:
    # Its line has the file's name already.
    text = file.problem.removeprefix(f"{file.path}").removeprefix(":").strip()
    line, _, rest = text.partition(":")
    finding = Finding(text=rest.strip(), line=int(line)) if line.isdecimal() and rest else Finding(text=text)
    return CheckedFile(
        rule=file.name, path=file.path, kind=file.kind, enabled=True, compiles=False, check=None, problems=[finding]
    )


def document(files: Sequence[CheckedFile]) -> dict[str, Any]:
    """Returns the JSON of `rules check --json`."""
    return {"ok": not any(file.problems for file in files), "rules": list(map(_row, files))}


def _row(file: CheckedFile) -> dict[str, Any]:
    head = {
        "rule": file.rule,
        "file": str(file.path),
        "kind": file.kind.value,
        "enabled": file.enabled,
        "compiles": file.compiles,
        "problems": list(map(_finding, file.problems)),
    }
    return head | (_found(file.check) if file.check else {})


def _found(check: RuleCheck) -> dict[str, Any]:
    missing = {use.name for use in check.missing_configuration}
    methods = {use.name for use in check.unknown_methods}
    return {
        "notes": list(map(_finding, check.notes)),
        "modules": [
            {"module": one.specifier, "line": one.line, "state": where.value, "global": one.global_name or None}
            for one, where in check.modules
        ],
        "configuration": [_use(use) | {"missing": use.name in missing} for use in check.needs.configuration],
        "auth0": [_use(use) | {"offered": use.name not in methods} for use in check.needs.auth0],
        "context": {
            "reads": [use.name for use in check.needs.context_reads],
            "writes": [use.name for use in check.needs.context_writes],
            "empty": [
                {"name": one.path, "line": one.line, "given": one.given.value, "source": one.source}
                for one in check.empty_context
            ],
        },
        "user": {
            "reads": [use.name for use in check.needs.user_reads],
            "writes": [use.name for use in check.needs.user_writes],
        },
        "effects": list(check.effects),
    }


def _use(use: Use) -> dict[str, Any]:
    return {"name": use.name, "line": use.line}


def _finding(finding: Finding) -> dict[str, Any]:
    return {"line": finding.line, "text": finding.text}
