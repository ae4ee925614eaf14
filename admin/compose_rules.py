"""Wires the rules of a consumer from the settings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from admin.compose_auth0 import management_api
from producer.auth0.budget import RequestBudget
from rules.analysis.needs import needs
from rules.check import check_rule
from rules.loading.folder import load_folder
from rules.login import Logins
from rules.modules.installed import InstalledModules
from rules.modules.manifest import manifest_of
from rules.observer import RulesObserver
from rules.pipeline.broken import usable_rules
from rules.pipeline.pipeline import RulePipeline
from rules.processes.node import find_node
from rules.rule import RuleSet
from rules.runner import RuleRunner
from rules.tenant.host import RuleHost
from rules.tenant.lookup import TenantLookup
from rules.tenant.management import SCOPES, ManagementHost
from rules.tenant.profiles import UserProfiles
from shared.logging import get_logger
from shared.settings import Auth0Settings, RulesSettings, Settings

log = get_logger(__name__)


def event_rules(settings: Settings, observers: Sequence[RulesObserver] = ()) -> RulePipeline | None:
    """Returns the rules of RULES_DIR; None where it is not set, or holds none that is to run.

    Raises `ConfigurationError` for what is wrong with the folder, and `EnvironmentUnusable` without Node.js.
    """
    options = settings.rules
    if options.folder is None:
        return None
    rules = usable_rules(load_folder(options.folder, options.configuration), options.on_broken)
    if not rules.rules:
        log.warning("no rule of the folder runs: events are delivered without rules", folder=str(options.folder))
        return None
    _tell_what_is_missing(rules, options.modules(options.folder))
    # With all scopes that the application has: to ask for one that it lacks would end in no token at all.
    budget = RequestBudget()
    api = management_api(settings.auth0, budget=budget) if settings.has(Auth0Settings) else None
    profiles = UserProfiles(api if options.fetch_user else None)
    host = rule_host(settings.auth0, profiles, budget) if api and uses_auth0(rules) else None
    if api is None and uses_auth0(rules):
        log.warning("rules use auth0, and their calls of it will fail: AUTH0_DOMAIN and its credentials are not set")
    return RulePipeline(
        rules,
        rule_runner(options, options.folder, host=host),
        Logins(rules.rules, tenant=TenantLookup(api) if api else None, profiles=profiles),
        timeout=options.timeout,
        on_error=options.on_error,
        on_broken=options.on_broken,
        observers=observers,
        on_close=api.close if api else None,
    )


def _tell_what_is_missing(rules: RuleSet, modules: Path) -> None:
    """No reason to stop: a rule may do without on most logins."""
    manifest, installed = manifest_of(rules.modules), InstalledModules(modules)
    for rule in rules.rules:
        for one in check_rule(rule, manifest, installed, rules.configuration, None).problems:
            where = f"{rule.path}:{one.line}" if one.line else str(rule.path)
            log.warning("a rule lacks something that it needs", reason=f"{where}: {one.text}")


def rule_host(auth0: Auth0Settings, profiles: UserProfiles | None = None, budget: RequestBudget | None = None) -> ManagementHost:
    """Returns what is behind the global `auth0` of rules; `profiles` hear what rules write."""
    return ManagementHost(management_api(auth0, SCOPES, budget), base_url=auth0.base_url, profiles=profiles)


def rule_runner(options: RulesSettings, folder: Path, *, host: RuleHost | None = None, dry_run: bool = False) -> RuleRunner:
    """`folder` of the rules; `host`: what is behind the global `auth0` outside of a dry run.

    Raises `EnvironmentUnusable` without Node.js.
    """
    modules = options.modules(folder)
    there = modules if modules.is_dir() else None
    return RuleRunner(find_node().command(there), modules=there, host=host, timeout=options.timeout, dry_run=dry_run)


def uses_auth0(rules: RuleSet) -> bool:
    """Whether a rule uses the global `auth0`: without it no token is asked for, since tokens are metered."""
    return any(needs(rule.source).auth0 for rule in rules.rules)
