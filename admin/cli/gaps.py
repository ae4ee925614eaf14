"""`gaps`: where events were lost, or may have been."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from admin.cli.context import with_transport
from admin.cli.help import Commands
from admin.cli.options import COUNT, argument, option, some
from admin.cli.output import say, show_json, show_table

if TYPE_CHECKING:
    from shared.documents.gap import GapDocument

commands = Commands("gaps", "Look at places where events were lost, or may have been.")

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@commands.command("list")
def list_gaps(
    limit: Annotated[int | None, option("--limit", COUNT, "Only the newest so many.")] = None, as_json: Json = False
) -> None:
    """List the gaps on record, the oldest first.

    Examples:
      auth0-webhooks gaps list
      auth0-webhooks gaps list --limit 10 --json
    """
    from admin.actions import gaps as actions
    from admin.actions.looking.wording import counted, since

    found, unreadable = with_transport(actions.read)
    shown = found[-limit:] if limit else found
    if as_json:
        show_json([actions.fields(gap) for gap in shown])
    elif shown:
        rows = [(since(gap.time), gap.kind.value, actions.sentence(gap), gap.id) for gap in shown]
        show_table(("found", "kind", "what", "id"), rows, whole=("id",))
    else:
        say("No gap is on record.")
    if left := len(found) - len(shown):
        say(f"{counted(left, 'older gap')} not shown; --limit says how many are.", to_person=True)
    for key, reason in unreadable.items():
        say(f"{key} is left out: {reason}", to_person=True)


@commands.command()
def show(gap_id: Annotated[str, argument(some("ID"), "Its id, or the beginning of it.")], as_json: Json = False) -> None:
    """Show one gap: what lies before and after it, and how it was found.

    Examples:
      auth0-webhooks gaps show after-90020261129183000000
      auth0-webhooks gaps show after-90020261129183000000 --json
    """
    import time

    from admin.actions import gaps as actions

    gap: GapDocument = actions.find(with_transport(actions.read)[0], gap_id)
    if as_json:
        show_json(actions.fields(gap))
    else:
        for line in actions.lines(gap, time.time()):
            say(line)
