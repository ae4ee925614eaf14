"""`checkpoint`: how far Auth0's log was read, and how to get that back where Kafka has lost it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from admin.cli.exits import Exit

commands = typer.Typer(name="checkpoint", help="How far Auth0's log was read.", no_args_is_help=True)


@commands.command()
def show(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show the last entry that is in the log or was filtered out."""
    from admin.cli.operate import on_log

    checkpoint = on_log(lambda transport: transport.checkpoint())
    if as_json:
        typer.echo(json.dumps(asdict(checkpoint) if checkpoint else None))
    elif checkpoint:
        typer.echo(" ".join(filter(None, (checkpoint.log_id, checkpoint.date))))
    else:
        typer.echo("There is no checkpoint: Auth0's log will be read from its oldest entry.")


@commands.command("set")
def set_checkpoint(
    from_topic: Annotated[bool, typer.Option("--from-topic", help="Take it from the newest records of the topic.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Make a lost checkpoint anew, on Kafka: nothing of Auth0's log is passed over, and nothing is published twice."""
    from admin.cli.operate import agreed, settings_of_kafka
    from shared.errors import ConfigurationError, PublishFailed, SurroundingsError

    if not from_topic:
        raise ConfigurationError(["say from what: `auth0-webhooks checkpoint set --from-topic`"])
    settings = settings_of_kafka("the embedded log writes events and checkpoint in one transaction, so it does not lose it")

    from shared.transport.kafka import repair

    checkpoint, ends = repair.derive(settings)
    question = f"Set the checkpoint in {settings.checkpoint_topic} to {checkpoint.log_id}, a page before the newest record?"
    if not agreed(question, yes=yes):
        raise typer.Exit(Exit.FINE)
    try:
        repair.store(settings, checkpoint, ends)
    except PublishFailed as error:
        raise SurroundingsError(str(error)) from None
    typer.echo(f"The checkpoint is {checkpoint.log_id}; the next poller to take over goes on from there.")


def register(app: typer.Typer) -> None:
    app.add_typer(commands)
