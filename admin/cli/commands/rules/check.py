"""`rules check`: what would keep rules from running as at Auth0."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from admin.actions.looking.wording import counted
from admin.cli.commands.rules.show import DIRECTORY, Json
from admin.cli.options import argument
from admin.cli.output import say, show_json, show_table
from shared.errors import ConfigurationError

if TYPE_CHECKING:
    from admin.actions.rules.check import CheckedFile


def check_rules(
    folder: Annotated[Path | None, argument(DIRECTORY, "The folder with the rules; by default RULES_DIR.")] = None,
    as_json: Json = False,
) -> None:
    """Check what the rules need, and what is missing here.

    Each rule is loaded by a rule process, and not run: what it needs is read from its text. Modules, keys of the
    configuration and methods of `auth0` that are not here are problems (exit code 2). What is empty off the login
    path, and what is only reported, is said beside it.

    Examples:
      auth0-webhooks rules check
      auth0-webhooks rules check ./acme-rules --json
    """
    from admin.actions.rules.check import check_folder, document
    from admin.cli.context import rules_settings

    files = check_folder(rules_settings(), folder)
    if as_json:
        show_json(document(files))
    else:
        _show(files)
    if lines := [line for file in files for line in file.lines()]:
        raise ConfigurationError(lines)


def _show(files: Sequence[CheckedFile]) -> None:
    show_table(("rule", "", "modules", "configuration", "what it does"), map(_cells, files))
    for file in files:
        if file.check and file.check.notes:
            say(f"\n{file.rule}:")
            for note in file.check.notes:
                say(f"  line {note.line}: {note.text}")
    count = sum(1 for file in files if file.problems)
    say(f"\n{counted(len(files), 'rule')} checked; {count or 'none'} would fail")


def _cells(file: CheckedFile) -> tuple[object, ...]:
    word = "fails" if file.problems else "fine" if file.enabled else "disabled"
    if file.check is None:
        return file.rule, word, "-", "-", "-"
    modules = ", ".join(one.specifier for one, _ in file.check.modules)
    keys = ", ".join(use.name for use in file.check.needs.configuration)
    return file.rule, word, modules or "-", keys or "-", ", ".join(file.check.effects) or "-"
