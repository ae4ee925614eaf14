"""`config`: what is set and where it comes from, and the texts that derive from the declarations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from admin.cli.help import Commands
from admin.cli.options import one_of, option
from admin.cli.output import say, show_json, show_table

if TYPE_CHECKING:
    from shared.settings import OptionRow

commands = Commands("config", "Show the settings and where each comes from.")


class Command(StrEnum):
    """The commands whose settings can be shown; `shared.settings.Role` would cost an import of pydantic at every start."""

    RUN = "run"
    PRODUCE = "produce"
    CONSUME = "consume"
    TRIGGER = "trigger"
    RULES = "rules"


@commands.command()
def show(
    role: Annotated[Command, option("--role", one_of(Command), "The command whose settings to show.")] = Command.RUN,
    changed: Annotated[bool, typer.Option("--changed", help="Only settings that do not have their default.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show every setting with its source, secrets masked.

    What is wrong with them follows on standard error, and the exit code is 2 then.

    Examples:
      auth0-webhooks config show
      auth0-webhooks config show --changed
      auth0-webhooks config show --role produce --json
    """
    from shared.errors import ConfigurationError
    from shared.settings import Role, examine

    found = examine(Role(role))
    rows = [row for row in found.rows if not changed or row.source != "default"]
    if as_json:
        show_json({"settings": [row._asdict() for row in rows], "problems": found.errors, "notes": found.notes})
    else:
        _print(rows, found.notes)
    if found.errors:
        raise ConfigurationError([*found.errors, *([] if as_json else [_summary(found.to_change)])])
    if not as_json:
        say("\nAll settings are valid")


def _print(rows: Sequence[OptionRow], notes: Iterable[str]) -> None:
    cells = ((row.name, row.value or "(required)", row.source) for row in rows)
    show_table(("name", "value", "source"), cells, dim=(row.source == "default" for row in rows))
    for note in notes:
        say(f"note: {note}", to_person=True)


def _summary(to_change: Sequence[str]) -> str:
    many = "1 setting" if len(to_change) == 1 else f"{len(to_change)} settings"
    return f"{many} must be changed: {', '.join(to_change)}"


@commands.command()
def docs() -> None:
    """Print docs/configuration.md, the list of all settings.

    Examples:
      auth0-webhooks config docs > docs/configuration.md
    """
    from admin.actions.configuration import document

    typer.echo(document(), nl=False)


@commands.command()
def example() -> None:
    """Print .env.example, a file of settings to fill in.

    Examples:
      auth0-webhooks config example > .env
    """
    from admin.actions.configuration import example as text

    typer.echo(text(), nl=False)
