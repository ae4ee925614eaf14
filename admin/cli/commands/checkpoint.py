"""`checkpoint`: how far Auth0's log was read, and how to go on from another place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from admin.cli.confirm import confirm
from admin.cli.context import kafka_settings, operator, with_tenant, with_transport
from admin.cli.help import Commands
from admin.cli.options import POSITION, argument
from admin.cli.output import say, show_json
from shared.errors import ConfigurationError, EnvironmentUnusable
from shared.start_from import StartFrom

if TYPE_CHECKING:
    from admin.actions.checkpoint import Move
    from admin.actions.operator_state import OperatorState
    from shared.settings import Settings
    from shared.transport.port import Checkpoint, Repeats, Transport

commands = Commands("checkpoint", "Show or repair how far Auth0's log has been read.")


@commands.command()
def show(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show the last entry that is in the log or was filtered out.

    Also how many gaps are on record.

    Examples:
      auth0-webhooks checkpoint show
      auth0-webhooks checkpoint show --json
    """
    from admin.actions.looking.wording import counted
    from admin.actions.operator_state import ControlView

    async def look(transport: Transport) -> tuple[Checkpoint | None, OperatorState]:
        control = ControlView(transport)
        try:
            return await transport.checkpoint(), await control.look()
        finally:
            await control.close()

    checkpoint, operator_state = with_transport(look)
    if as_json:
        show_json(_fields(checkpoint, operator_state) if checkpoint else None, indent=None)
        return
    if checkpoint and checkpoint.log_id:
        say(" ".join(filter(None, (checkpoint.log_id, checkpoint.date))))
    elif checkpoint:
        say("The checkpoint was reset: Auth0's log will be read from the oldest entry that the tenant still has.")
    else:
        say("There is no checkpoint: Auth0's log will be read from its oldest entry.")
    if known := len(operator_state.gaps):
        say(f"{counted(known, 'gap')} on record: `auth0-webhooks gaps list`")


def _fields(checkpoint: Checkpoint, operator_state: OperatorState) -> dict[str, Any]:
    from admin.actions.looking.status_json import moment

    return {
        "log_id": checkpoint.log_id,
        "date": checkpoint.date,
        "caught_up": moment(checkpoint.caught_up),
        "reset": not checkpoint.log_id,
        "gaps": len(operator_state.gaps) if operator_state.readable else None,
    }


@commands.command("set")
def set_checkpoint(
    position: Annotated[StartFrom | None, argument(POSITION, "now, a whole log id (go on after it), or a date.")] = None,
    from_topic: Annotated[bool, typer.Option("--from-topic", help="Take it from the newest records in Kafka.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without this it is only shown.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Also while a poller seems to be active.")] = False,
) -> None:
    """Go on from another place in Auth0's log.

    Shows from where to where, and how many entries lie between; `--yes` does it. Going back fetches entries again, going
    forward passes entries over. Stop the poller first: one that runs goes on from its own place. Auth0 is asked for the
    place, which needs AUTH0_DOMAIN, AUTH0_CLIENT_ID and AUTH0_CLIENT_SECRET. With --from-topic a checkpoint that Kafka
    has lost is derived from the events there: none is passed over or published twice.

    Examples:
      auth0-webhooks checkpoint set 2026-11-20           # see what it means
      auth0-webhooks checkpoint set 2026-11-20 --yes
      auth0-webhooks checkpoint set --from-topic
    """
    if from_topic == (position is not None):
        raise ConfigurationError(["say where to: `auth0-webhooks checkpoint set 2026-11-20`, a log id, now, or --from-topic"])
    if position is None:
        _set_from_topic(yes=yes)
    else:
        _set_to(position, yes=yes, force=force)


def _set_to(position: StartFrom, *, yes: bool, force: bool) -> None:
    from admin import compose_auth0
    from admin.actions.audit import note
    from admin.actions.checkpoint import plan

    async def move(settings: Settings, transport: Transport) -> tuple[Move, bool]:
        source = compose_auth0.auth0_logs(settings)
        try:
            planned = await plan(position, await transport.checkpoint(), source)
        finally:
            await source.close()
        say(_moving(planned))
        if yes and not force and (now := await transport.checkpoint()) != planned.before:
            moved_to = _place(now) if now else "the oldest entry"
            raise EnvironmentUnusable(f"the checkpoint was moved meanwhile, to {moved_to}: nothing was changed, look again")
        # Also a dry run asks whether a poller is active.
        moved = await transport.set_checkpoint(planned.after, lambda _: yes, force=force)
        if moved:
            await note(transport, by=operator(), what=f"checkpoint set {planned.after.log_id}")
        return planned, moved

    planned, done = with_tenant(move)
    if done:
        say(f"The checkpoint is {_place(planned.after)}; the next poller goes on from there.")
    else:
        say("Nothing was changed: add --yes to do it.")


def _moving(move: Move) -> str:
    lines = [f"From  {_place(move.before) if move.before else 'no checkpoint: the oldest entry'}", f"To    {_place(move.after)}"]
    if move.entries is None:
        lines.append("How many entries lie between cannot be known: Auth0 does not have the earlier one any more.")
    else:
        count = f"{'More than ' if move.more else ''}{move.entries:,} {'entry lies' if move.entries == 1 else 'entries lie'}"
        outcome = "not delivered any more" if move.is_forward else "delivered again where they pass the filter"
        lines.append(f"{count} between{f': {outcome}' if move.entries else ''}.")
    return "\n".join(lines)


def _place(checkpoint: Checkpoint) -> str:
    if not checkpoint.log_id:
        return "the oldest entry that Auth0 still has"
    return " ".join(filter(None, (checkpoint.log_id, checkpoint.date)))


def _set_from_topic(*, yes: bool) -> None:
    settings = kafka_settings("the embedded log writes events and checkpoint in one transaction, so it does not lose it")

    def confirmed(checkpoint: Checkpoint) -> bool:
        where = f"the checkpoint in {settings.checkpoint_topic} to {checkpoint.log_id}"
        return confirm(f"Set {where}, a page before the newest record?", yes=yes)

    from admin.actions.audit import note
    from admin.actions.kafka import recover_checkpoint  # importing kafka takes up to a second

    recovered = recover_checkpoint(settings, confirmed)
    if recovered:
        with_transport(lambda transport: note(transport, by=operator(), what=f"checkpoint set --from-topic {recovered.log_id}"))
        say(f"The checkpoint is {recovered.log_id}; the next poller to take over goes on from there.")


@commands.command()
def reset(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Also while a poller seems to be active.")] = False,
) -> None:
    """Begin again at the oldest entry that Auth0 still has.

    For a checkpoint that Auth0 does not know any more. Stop the poller first.

    Examples:
      auth0-webhooks checkpoint reset
    """
    from admin.actions.audit import note
    from shared.transport.port import OLDEST

    def confirmed(repeats: Repeats) -> bool:
        say(_repeats(repeats))
        return confirm("Begin at the oldest entry that Auth0 still has?", yes=yes)

    async def begin_again(transport: Transport) -> bool:
        done = await transport.set_checkpoint(OLDEST, confirmed, force=force)
        if done:
            await note(transport, by=operator(), what="checkpoint reset")
        return done

    if with_transport(begin_again):
        say("The checkpoint was reset; the next poller begins at the oldest entry that Auth0 still has.")


def _repeats(repeats: Repeats) -> str:
    if not repeats.most:
        return "No event will be published again."
    counts = {"in the log": repeats.held, "that the log has removed since": repeats.removed}
    those = " and of ".join(f"{count} {where}" for where, count in counts.items() if count)
    return f"At most {repeats.most} events may be published again: those of {those} that Auth0 still has."
