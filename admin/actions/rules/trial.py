"""`rules test`: a chain of rules, run once on one login, as the pipeline runs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from admin.actions.rules.given import GivenLogin
from producer.auth0.management import ManagementApi
from rules.analysis.needs import needs
from rules.context import user_and_context
from rules.difference import Change, changes, patched
from rules.loading.folder import load_configuration, load_files, load_folder, read_manifest, rule_names
from rules.outcome import ChainRun
from rules.processes.node import find_node
from rules.rule import DEFAULT_EVENTS, Rule, RuleSet
from rules.runner import RuleRunner
from rules.tenant.host import RuleHost
from rules.tenant.lookup import TenantLookup, wanted
from rules.tenant.profiles import ProfileUnavailable, UserProfiles
from shared.errors import ConfigurationError, EnvironmentUnusable
from shared.settings import RulesSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """What the chain is given."""

    log_id: str
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


async def run_chain(
    settings: RulesSettings, rules: RuleSet, given: GivenLogin, runner: RuleRunner, api: ManagementApi | None = None
) -> Trial:
    """`api`: the tenant, if it may be asked for what the login does not say.

    Raises `ConfigurationError` for a rule that does not compile, `EnvironmentUnusable` where no rule process can run or the user
    cannot be had.
    """
    chain = [rule.name for rule in rules.rules]
    try:
        paths = {rule.name: rule.path for rule in rules.rules}
        if broken := await runner.start(rules):
            raise ConfigurationError([_does_not_compile(paths[one.name], one.line, one.message) for one in broken])
        login = await _login(settings, rules, given, api)
        run = await runner.run(chain, login.user, login.context, event=login.log_id)
    finally:
        await runner.close()
        if api:
            await api.close()
    return Trial(login=login, run=run, chain=chain)


async def _login(settings: RulesSettings, rules: RuleSet, given: GivenLogin, api: ManagementApi | None) -> Login:
    profile, facts = given.profile, None
    if api and not given.made_up:
        user_id = given.entry.get("user_id")
        if profile is None and isinstance(user_id, str):
            profile = await _fetched(UserProfiles(api if settings.fetch_user else None), user_id, settings.timeout)
        reads = [use.name for rule in rules.rules for use in needs(rule.source).context_reads]
        facts = await TenantLookup(api).facts(given.entry, wanted(reads))
    user, context = user_and_context(given.entry, profile, facts)
    return Login(log_id=given.log_id, user=user, context=patched(context, given.over))


async def _fetched(profiles: UserProfiles, user_id: str, timeout: float) -> Mapping[str, Any] | None:
    try:
        return await profiles.of(user_id, within=timeout)
    except ProfileUnavailable as error:
        raise EnvironmentUnusable(f"{error}: give it with --user FILE, or set RULES_FETCH_USER=false") from None


def runner_of(settings: RulesSettings, rules: RuleSet, *, dry_run: bool, host: RuleHost | None = None) -> RuleRunner:
    """`host`: what is behind the global `auth0` outside of a dry run.

    Raises `EnvironmentUnusable` without Node.js.
    """
    modules = settings.modules(settings.folder or rules.rules[0].path.parent)
    there = modules if modules.is_dir() else None
    return RuleRunner(find_node().command(there), modules=there, host=host, timeout=settings.timeout, dry_run=dry_run)


def use_auth0(rules: RuleSet) -> bool:
    """Whether a rule uses the global `auth0`: without it no token is asked for, since tokens are metered."""
    return any(needs(rule.source).auth0 for rule in rules.rules)


def missing_configuration(rules: RuleSet) -> list[str]:
    """Returns a line for each value of `configuration` that a rule reads, has no default for, and that is not there."""
    return [
        f"{rule.path}:{use.line}: configuration.{use.name} is not set; write it into the file that RULES_CONFIGURATION names"
        for rule in rules.rules
        for found in [needs(rule.source)]
        for use in found.configuration
        if use.name.partition(".")[0] not in (*rules.configuration, *found.optional, "", "*")
    ]


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


def _does_not_compile(path: Path, line: int | None, message: str) -> str:
    return f"{path}{f':{line}' if line else ''}: does not compile: {message}"
