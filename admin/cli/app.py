"""The command `auth0-webhooks`. Commands import what they need when they run: `--help` must not wait for Kafka or pydantic."""

from __future__ import annotations

from typing import Annotated

import typer

from admin.cli import checkpoint, config, dead_letters, demo, explain, run, simulate, skip, status, topics, types

app = typer.Typer(
    name="auth0-webhooks",
    help="Auth0 tenant log events, delivered to your webhook at least once, none skipped.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"auth0-webhooks {version('auth0-webhooks')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")] = False,
) -> None:
    """Auth0 tenant log events, delivered to your webhook at least once, none skipped."""


# `--help` shows the commands in this order, then the groups.
for command in (
    run.run,
    run.produce,
    run.consume,
    status.status,
    explain.explain,
    skip.skip,
    demo.demo,
    simulate.listen,
    types.types,
):
    app.command()(command)
for group in (dead_letters, checkpoint, simulate, topics, config):
    app.add_typer(group.commands)
