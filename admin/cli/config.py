"""`config`: what is set and where it comes from, and the texts that derive from the declarations."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from admin.cli.output import show_json, show_table

commands = typer.Typer(name="config", help="Show and document the settings.", no_args_is_help=True)


class Command(StrEnum):
    """The commands whose settings can be shown; `shared.settings.Role` would cost an import of pydantic at every start."""

    RUN = "run"
    PRODUCE = "produce"
    CONSUME = "consume"


@commands.command()
def show(
    role: Annotated[Command, typer.Option("--role", help="The command whose settings to show.")] = Command.RUN,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show every setting with its source, secrets masked.

    What is wrong with them follows on standard error, and the exit code is 2 then.
    """
    from shared.errors import ConfigurationError
    from shared.settings import Role, examine

    rows, problems = examine(Role(role))
    if as_json:
        show_json({"settings": [row._asdict() for row in rows], "problems": list(problems)})
    else:
        show_table(("name", "value", "source"), (row[:3] for row in rows), dim=(row.source == "default" for row in rows))
    if problems:
        raise ConfigurationError(problems)


@commands.command()
def docs() -> None:
    """Print docs/configuration.md."""
    from admin.actions.configuration import document

    typer.echo(document(), nl=False)


@commands.command()
def example() -> None:
    """Print .env.example."""
    from admin.actions.configuration import example as text

    typer.echo(text(), nl=False)
