"""`rules test`: a chain of rules, run once on one login, as the pipeline runs it."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from admin.actions.rules.samples import sample_entry, sample_profile
from rules.context import user_and_context
from rules.difference import Change, changes, patched
from rules.files import FileUnusable, read_text
from rules.json_file import parse_object
from rules.loading import load_configuration, load_files, load_folder, read_manifest, rule_names
from rules.node import find_node
from rules.outcome import ChainRun
from rules.rule import DEFAULT_EVENTS, Rule, RuleSet
from rules.runner import RuleRunner
from shared.errors import ConfigurationError
from shared.settings import RulesSettings

_LARGEST: Final = 4_000_000
#: As a file: standard input.
STANDARD_INPUT: Final = Path("-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """What the chain is given."""

    log_id: str
    type: str
    user: Mapping[str, Any]
    context: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What came of it."""

    login: Login
    run: ChainRun
    chain: Sequence[str]

    @property
    def user_changes(self) -> list[Change]:
        return changes(self.login.user, self.run.user)

    @property
    def context_changes(self) -> list[Change]:
        return changes(self.login.context, self.run.context)

    @property
    def not_run(self) -> Sequence[str]:
        """The rules behind the one that stopped the chain."""
        return self.chain[len(self.run.steps) :]


def login(
    *, event: Path | None = None, sample: str | None = None, user: Path | None = None, context: Path | None = None
) -> Login:
    """Returns the login to run a chain on. Raises `ConfigurationError`.

    Without `event` it is a made-up one of the type `sample`, of a made-up user. `context` is laid over what the event gives.
    """
    entry = _read(event, "a log entry") if event else sample_entry(sample or "s")
    profile = _read(user, "a user") if user else None if event else sample_profile()
    made_user, made_context = user_and_context(entry, profile)
    over = _read(context, "a context") if context else {}
    log_id, kind = entry.get("log_id") or entry.get("_id"), entry.get("type")
    return Login(
        log_id=log_id if isinstance(log_id, str) else "",
        type=kind if isinstance(kind, str) else "",
        user=made_user,
        context=patched(made_context, over),
    )


def chain_of(settings: RulesSettings, files: Sequence[Path], configuration: Path | None, kind: str) -> RuleSet:
    """Returns the rules to run: those files, or with none of them what the folder runs on an event of that type.

    Raises `ConfigurationError`.
    """
    configuration = configuration or settings.configuration
    if not files:
        return _folder_chain(settings, configuration, kind)
    found = [_found(settings.folder, file) for file in files]
    rules, folder = load_files(found), settings.folder or found[0].parent
    manifest = read_manifest(folder, rule_names(folder)) if folder.is_dir() else None
    entries = {entry.name: entry for entry in manifest.rules} if manifest else {}
    timeouts = {rule.name: entries[rule.name].timeout for rule in rules if rule.name in entries and _is_in(folder, rule)}
    return RuleSet(
        rules=tuple(replace(rule, timeout=timeouts.get(rule.name)) for rule in rules),
        configuration=load_configuration(configuration),
        modules=manifest.modules if manifest else {},
    )


async def run_chain(rules: RuleSet, login: Login, runner: RuleRunner) -> Trial:
    """Raises `ConfigurationError` for a rule that does not compile, `EnvironmentUnusable` where no rule process can run."""
    chain = [rule.name for rule in rules.rules]
    try:
        broken = await runner.start(rules)
        if broken:
            paths = {rule.name: rule.path for rule in rules.rules}
            raise ConfigurationError([_does_not_compile(paths[one.name], one.line, one.message) for one in broken])
        run = await runner.run(chain, login.user, login.context, event=login.log_id)
    finally:
        await runner.close()
    return Trial(login=login, run=run, chain=chain)


def runner_of(settings: RulesSettings, folder: Path, *, dry_run: bool) -> RuleRunner:
    """Raises `EnvironmentUnusable` without Node.js."""
    modules = settings.modules(folder)
    there = modules if modules.is_dir() else None
    return RuleRunner(find_node().command(there), modules=there, timeout=settings.timeout, dry_run=dry_run)


def document(trial: Trial) -> dict[str, Any]:
    """Returns the JSON of `rules test --json`."""
    return {
        "outcome": trial.run.outcome.value,
        "user": trial.run.user,
        "context": trial.run.context,
        "rules": [
            {
                "rule": step.rule,
                "outcome": step.outcome.value,
                "milliseconds": step.milliseconds,
                "error": step.error,
                "console": [{"level": line.level, "text": line.text} for line in step.console],
                "calls": [{"method": call.method, "url": call.url, "status": call.status} for call in step.calls],
            }
            for step in trial.run.steps
        ],
    }


def _folder_chain(settings: RulesSettings, configuration: Path | None, kind: str) -> RuleSet:
    if settings.folder is None:
        raise ConfigurationError(["name a FILE with a rule, or set RULES_DIR to the folder with the rules"])
    folder = load_folder(settings.folder, configuration)
    if folder.broken:
        raise ConfigurationError([one.problem for one in folder.broken])
    chain = [rule for rule in folder.rule_set.rules if rule.enabled and kind in (rule.events or DEFAULT_EVENTS)]
    if not chain:
        raise ConfigurationError(
            [f"no rule of {settings.folder} runs on events of the type {kind!r}: see `auth0-webhooks rules list`"]
        )
    return replace(folder.rule_set, rules=tuple(chain))


def _found(folder: Path | None, file: Path) -> Path:
    """A rule of the folder may be named without its path and its suffix."""
    if folder and not file.exists() and file.parent == Path() and (folder / f"{file}.js").is_file():
        return folder / f"{file}.js"
    return file


def _is_in(folder: Path, rule: Rule) -> bool:
    return rule.path.parent.resolve() == folder.resolve()


def _read(path: Path, what: str) -> dict[str, Any]:
    try:
        text = sys.stdin.read(_LARGEST + 1) if path == STANDARD_INPUT else read_text(path, _LARGEST, what)
        return parse_object(text, Path("standard input") if path == STANDARD_INPUT else path, what)
    except FileUnusable as error:
        raise ConfigurationError([str(error)]) from None


def _does_not_compile(path: Path, line: int | None, message: str) -> str:
    return f"{path}{f':{line}' if line else ''}: does not compile: {message}"
