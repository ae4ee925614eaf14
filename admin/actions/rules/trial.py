"""`rules test`: a chain of rules, run once on one login, as the pipeline runs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from admin.actions.rules.given import GivenLogin
from producer.auth0.management import ManagementApi
from rules.analysis.needs import needs
from rules.check import missing_configuration
from rules.difference import Change, changes
from rules.loading.folder import load_configuration, load_files, load_folder, read_manifest, rule_names
from rules.login import Login, Logins
from rules.outcome import ChainRun
from rules.pipeline.broken import compile_problems
from rules.pipeline.chains import chain_for
from rules.pipeline.login_run import run_login
from rules.pipeline.member import step_document
from rules.rule import Rule, RuleSet
from rules.runner import RuleRunner
from rules.tenant.lookup import TenantLookup
from rules.tenant.profiles import ProfileUnavailable, UserProfiles
from shared.errors import ConfigurationError, EnvironmentUnusable
from shared.settings import RulesSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What came of it."""

    login: Login
    run: ChainRun
    #: The member `rules` of what would be delivered.
    member: Mapping[str, Any]
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
    try:
        if problems := compile_problems(await runner.start(rules), rules.rules):
            raise ConfigurationError(problems)
        asked = None if given.made_up else api
        tenant = TenantLookup(asked) if asked else None
        profiles = UserProfiles(asked if settings.fetch_user else None)
        done = await run_login(
            runner,
            Logins(rules.rules, tenant=tenant, profiles=profiles),
            rules.rules,
            given.entry,
            given.log_id,
            within=settings.timeout,
            profile=given.profile,
            over=given.over,
        )
    except ProfileUnavailable as error:
        raise EnvironmentUnusable(f"{error}: give it with --user FILE, or set RULES_FETCH_USER=false") from None
    finally:
        await runner.close()
        if api:
            await api.close()
    return Trial(login=done.login, run=done.run, member=done.said, chain=[rule.name for rule in rules.rules])


def missing_keys(rules: RuleSet) -> list[str]:
    """Returns a line for each value of `configuration` that a rule reads, has no default for, and that is not there."""
    return [
        f"{rule.path}:{use.line}: configuration.{use.name} is not set; write it into the file that RULES_CONFIGURATION names"
        for rule in rules.rules
        for use in missing_configuration(needs(rule.source), rules.configuration)
    ]


def document(trial: Trial) -> dict[str, Any]:
    """Returns the JSON of `rules test --json`."""
    return {
        "outcome": trial.run.outcome.value,
        "user": trial.run.user,
        "context": trial.run.context,
        "member": trial.member,
        "rules": [
            step_document(step)
            | {"calls": [{"method": call.method, "url": call.url, "status": call.status} for call in step.calls]}
            for step in trial.run.steps
        ],
    }


def _folder_chain(settings: RulesSettings, configuration: Path | None, kind: str) -> RuleSet:
    if settings.folder is None:
        raise ConfigurationError(["name a FILE with a rule, or set RULES_DIR to the folder with the rules"])
    folder = load_folder(settings.folder, configuration)
    if folder.broken:
        raise ConfigurationError([one.problem for one in folder.broken])
    chain = chain_for(kind, folder.rule_set.rules)
    if not chain:
        raise ConfigurationError(
            [f"no rule of {settings.folder} runs on events of the type {kind!r}: see `auth0-webhooks rules list`"]
        )
    return replace(folder.rule_set, rules=chain)


def _found(folder: Path | None, file: Path) -> Path:
    """A rule of the folder may be named without its path and its suffix."""
    if folder and not file.exists() and file.parent == Path() and (folder / f"{file}.js").is_file():
        return folder / f"{file}.js"
    return file


def _is_in(folder: Path, rule: Rule) -> bool:
    return rule.path.parent.resolve() == folder.resolve()
