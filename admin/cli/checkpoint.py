"""`checkpoint`: how far Auth0's log was read, and what to do where Kafka has lost that or Auth0 does not know it any more."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from admin.cli.confirm import confirm
from admin.cli.context import kafka_settings, with_transport
from admin.cli.help import Commands
from admin.cli.output import say, show_json
from shared.errors import ConfigurationError

if TYPE_CHECKING:
    from shared.transport.port import Checkpoint, Repeats

commands = Commands("checkpoint", "Show or repair how far Auth0's log has been read.")


@commands.command()
def show(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show the last entry that is in the log or was filtered out.

    Examples:
      auth0-webhooks checkpoint show
      auth0-webhooks checkpoint show --json
    """
    checkpoint = with_transport(lambda transport: transport.checkpoint())
    if as_json:
        show_json({**asdict(checkpoint), "reset": not checkpoint.log_id} if checkpoint else None, indent=None)
    elif checkpoint and checkpoint.log_id:
        say(" ".join(filter(None, (checkpoint.log_id, checkpoint.date))))
    elif checkpoint:
        say("The checkpoint was reset: Auth0's log will be read from the oldest entry that the tenant still has.")
    else:
        say("There is no checkpoint: Auth0's log will be read from its oldest entry.")


@commands.command("set")
def set_checkpoint(
    from_topic: Annotated[bool, typer.Option("--from-topic", help="Take it from the newest records of the topic.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Restore a lost checkpoint from the events in Kafka.

    No event of Auth0's log is passed over, and none is published twice.

    Examples:
      auth0-webhooks checkpoint set --from-topic
    """
    if not from_topic:
        raise ConfigurationError(["say from what: `auth0-webhooks checkpoint set --from-topic`"])
    settings = kafka_settings("the embedded log writes events and checkpoint in one transaction, so it does not lose it")

    def confirmed(checkpoint: Checkpoint) -> bool:
        where = f"the checkpoint in {settings.checkpoint_topic} to {checkpoint.log_id}"
        return confirm(f"Set {where}, a page before the newest record?", yes=yes)

    from admin.actions.kafka import recover_checkpoint  # importing kafka takes up to a second

    recovered = recover_checkpoint(settings, confirmed)
    if recovered:
        say(f"The checkpoint is {recovered.log_id}; the next poller to take over goes on from there.")


@commands.command()
def reset(yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Begin again at the oldest entry that Auth0 still has.

    For a checkpoint that Auth0 does not know any more. Stop the poller first.

    Examples:
      auth0-webhooks checkpoint reset
    """

    def confirmed(repeats: Repeats) -> bool:
        say(_repeats(repeats))
        return confirm("Begin at the oldest entry that Auth0 still has?", yes=yes)

    if with_transport(lambda transport: transport.reset_checkpoint(confirmed)):
        say("The checkpoint was reset; the next poller begins at the oldest entry that Auth0 still has.")


def _repeats(repeats: Repeats) -> str:
    if not repeats.most:
        return "No event will be published again."
    counts = {"in the log": repeats.held, "that the log has removed since": repeats.removed}
    those = " and of ".join(f"{count} {where}" for where, count in counts.items() if count)
    return f"At most {repeats.most} events may be published again: those of {those} that Auth0 still has."
