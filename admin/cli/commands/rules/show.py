"""`rules list` and `rules show`: what the folder holds, and what is said about it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from admin.actions.looking.wording import counted
from admin.cli.options import Value, argument, some
from admin.cli.output import say, show_json, show_table
from shared.parsers import Parser

if TYPE_CHECKING:
    from admin.actions.rules.folder import RuleRow
    from rules.loading.folder import RuleFolder

#: A folder with rules, in place of RULES_DIR.
DIRECTORY = Value("DIR", Parser("folder", Path))
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def list_rules(
    folder: Annotated[Path | None, argument(DIRECTORY, "The folder with the rules; by default RULES_DIR.")] = None,
    as_json: Json = False,
) -> None:
    """List the rules of a folder, in the order in which they run.

    What cannot run is listed with its reason. The hash is what `auth0-webhooks status` shows of consumers that run these rules.
    `auth0-webhooks rules check` looks further, and fails on it.

    Examples:
      auth0-webhooks rules list
      auth0-webhooks rules list ./acme-rules --json
    """
    from dataclasses import asdict

    from admin.actions.rules.folder import hash_of, rows
    from admin.cli.context import rules_settings

    loaded = _load(folder)
    found = rows(loaded)
    if as_json:
        show_json([asdict(row) for row in found])
        return
    show_table(("rule", "state", "events", "timeout", "file"), map(_cells, found), dim=(row.state == "disabled" for row in found))
    for row in found:
        if row.problem:
            say(f"\n{row.problem}")
    say(f"\n{_count(found)}; order: {_order(loaded)}; hash: {hash_of(rules_settings(), loaded)}")


def show_rule(
    name: Annotated[str, argument(some("RULE"), "Its file's name, without `.js`.")],
    as_json: Json = False,
) -> None:
    """Show one rule: what is said about it, and its code.

    Examples:
      auth0-webhooks rules show mixpanel
    """
    from dataclasses import asdict

    from admin.actions.rules.folder import find, rows

    loaded = _load(None)
    rule = find(loaded, name)
    (row,) = (row for row in rows(loaded) if row.rule == name)
    if as_json:
        show_json({**asdict(row), "source": rule.source})
        return
    show_table(("rule", "state", "events", "timeout", "file"), [_cells(row)])
    say(f"\n{rule.source.rstrip()}")


def _load(folder: Path | None) -> RuleFolder:
    from admin.actions.rules.folder import load
    from admin.cli.context import rules_settings

    return load(rules_settings(), folder)


def _cells(row: RuleRow) -> tuple[object, ...]:
    timeout = "-" if row.timeout is None else f"{row.timeout:g} s"
    return row.rule, row.state, ", ".join(row.events) or "-", timeout, row.file


def _count(rows: list[RuleRow]) -> str:
    states = [row.state for row in rows]
    parts = [f"{states.count(state)} {word}" for state, word in _WORDS.items() if state in states]
    return f"{counted(len(rows), 'rule')}: {', '.join(parts)}"


_WORDS = {"runs": "run", "disabled": "disabled", "broken": "cannot run"}


def _order(folder: RuleFolder) -> str:
    return {
        "rules.yaml": "as in rules.yaml",
        "NAME.json": "as in the NAME.json files",
    }.get(folder.ordered_by, "by name")
