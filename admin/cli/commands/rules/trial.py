"""`rules test`: run rules on one login, and show what they did."""

from __future__ import annotations

import asyncio
import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from admin.cli.options import FILE, TYPE, argument, one_of, option
from admin.cli.output import say, show_json, show_table
from shared.errors import ConfigurationError

if TYPE_CHECKING:
    from admin.actions.rules.trial import Trial
    from rules.difference import Change


class Expected(StrEnum):
    """The outcomes of a chain; `rules.outcome` would be an import at every start."""

    KEPT = "kept"
    DENIED = "denied"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CRASHED = "crashed"


def try_rules(
    files: Annotated[
        list[Path] | None,
        argument(FILE, "Files with a rule each, in the order to run; none: what RULES_DIR runs on the event."),
    ] = None,
    event: Annotated[Path | None, option("--event", FILE, "A log entry of a login, as JSON; - for standard input.")] = None,
    sample: Annotated[str | None, option("--sample", TYPE, "A made-up login of this type; the default is s.")] = None,
    user: Annotated[Path | None, option("--user", FILE, "The user's profile, as JSON, as the Management API has it.")] = None,
    context: Annotated[Path | None, option("--context", FILE, "JSON to lay over the context of the event.")] = None,
    configuration: Annotated[Path | None, option("--configuration", FILE, "In place of RULES_CONFIGURATION.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="No request leaves: each is shown, and answered `200 {}`.")] = False,
    expect: Annotated[
        Expected | None, option("--expect", one_of(Expected), "Fail (exit code 2) unless this comes of it; for CI.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Run rules on one login, and show what they did.

    Nothing is delivered or stored, but without --dry-run the rules do call what they call, and Auth0 is asked for what
    they need if AUTH0_DOMAIN, AUTH0_CLIENT_ID and AUTH0_CLIENT_SECRET are set. Exit code 0 means that they ran, whatever
    came of it, also where they denied or failed; --expect makes that an error.

    Examples:
      auth0-webhooks rules test acme-rules/mixpanel.js --dry-run
      auth0-webhooks rules test a.js b.js --event login.json --user ada.json --json
      auth0-webhooks rules test --sample ssa --dry-run --expect kept
    """
    from admin import compose_auth0, compose_rules
    from admin.actions.rules import trial as actions
    from admin.actions.rules.given import read_given
    from admin.cli.context import rules_test_settings
    from shared.settings import Auth0Settings

    if event and sample:
        raise ConfigurationError(["--event and --sample: each is the login to test with; give one of them"])
    settings = rules_test_settings(ask_tenant=not dry_run)
    given = read_given(event=event, sample=sample, user=user, context=context)
    rules = actions.chain_of(settings.rules, files or (), configuration, given.type)
    for line in actions.missing_keys(rules):
        say(f"note: {line}", to_person=True)
    asks = settings.has(Auth0Settings)
    host = compose_rules.rule_host(settings.auth0) if asks and compose_rules.uses_auth0(rules) else None
    folder = settings.rules.folder or rules.rules[0].path.parent
    runner = compose_rules.rule_runner(settings.rules, folder, host=host, dry_run=dry_run)
    api = compose_auth0.management_api(settings.auth0) if asks else None
    found = asyncio.run(actions.run_chain(settings.rules, rules, given, runner, api))
    if as_json:
        show_json(actions.document(found))
    else:
        _print(found, dry_run=dry_run)
    if expect and expect.value != found.run.outcome.value:
        raise ConfigurationError([f"expected {expect}, but the outcome is {found.run.outcome}"])


def _print(trial: Trial, *, dry_run: bool) -> None:
    run = trial.run
    show_table(("rule", "outcome", "time"), ((step.rule, step.outcome, f"{step.milliseconds:.1f} ms") for step in run.steps))
    if trial.not_run:
        say(f"not run: {', '.join(trial.not_run)}")
    say(f"\noutcome: {run.outcome}")
    for step in run.steps:
        if step.error:
            say(f"  {step.rule}: {step.error}")
    for word, asked in (("another factor", run.multifactor), ("a redirect", run.redirect)):
        if asked is not None:
            say(f"  asked for {word}: {_json(asked)}")
    _print_changes("user", trial.user_changes)
    _print_changes("context", trial.context_changes)
    _print_lines("console", [(step.rule, line.level, line.text) for step in run.steps for line in step.console])
    calls = [
        (step.rule, call.method, call.url, call.error or ("no response" if call.status is None else call.status))
        for step in run.steps
        for call in step.calls
    ]
    _print_lines("outgoing calls" + (" (dry run: none left, each was answered 200 {})" if dry_run else ""), calls)


def _print_changes(what: str, changes: list[Change]) -> None:
    from rules.difference import Absent

    lines = []
    for change in changes:
        if change.before is Absent.ABSENT:
            lines.append(("+", change.path, _json(change.after)))
        elif change.after is Absent.ABSENT:
            lines.append(("-", change.path, _json(change.before)))
        else:
            lines.append(("~", change.path, f"{_json(change.before)} → {_json(change.after)}"))
    _print_lines(what, lines)


def _print_lines(title: str, lines: list[tuple[Any, ...]]) -> None:
    if not lines:
        say(f"\n{title}: {'no change' if title in ('user', 'context') else 'none'}")
        return
    say(f"\n{title}")
    for line in lines:
        say("  " + "  ".join(map(str, line)))


def _json(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else f"{text[:200]}…"
