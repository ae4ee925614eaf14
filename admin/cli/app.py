"""The command `auth0-webhooks`. Commands import what they need when they run: `--help` must not wait for Kafka or pydantic."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from admin.cli import gaps
from admin.cli.commands import (
    checkpoint,
    config,
    dead_letters,
    demo,
    explain,
    listen,
    pause,
    run,
    show,
    simulate,
    skip,
    status,
    tail,
    topics,
    trigger,
    types,
)
from admin.cli.commands.rules import group as rules
from admin.cli.help import Commands

#: `--help` shows the panels in this order, and in each its commands and groups of commands.
PANELS: Final = {
    "Run": (
        run.run,
        run.produce,
        run.consume,
    ),
    "Look": (
        status.status,
        show.show,
        tail.tail,
        explain.explain,
        types.types,
        config.commands,
        gaps.commands,
        rules.commands,
        topics.commands,
    ),
    "Repair": (
        pause.pause,
        pause.resume,
        dead_letters.commands,
        skip.skip,
        checkpoint.commands,
    ),
    "Try": (
        demo.demo,
        listen.listen,
        trigger.trigger,
        simulate.commands,
    ),
}

_TEXT: Final = """Auth0 tenant log events, delivered to your webhook at least once, none skipped.

Examples:
  auth0-webhooks demo             # see it at work, without an account
  auth0-webhooks config show      # what is set, and what is missing
  auth0-webhooks run --help       # the options of a command
"""

app = Commands("auth0-webhooks", _TEXT)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"auth0-webhooks {version('auth0-webhooks')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")] = False,
) -> None:
    """The options of the program itself."""


for panel, members in PANELS.items():
    for member in members:
        app.add(member, panel)
