"""`dead-letters`: look at what is not delivered any more, send it again, or remove it."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from admin.cli.output import say, show_json, show_table

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from admin.actions.dead_letters import Choice
    from shared.transport.port import DeadLetter, Transport

    Action = Callable[[Transport, Sequence[DeadLetter]], AsyncIterator[DeadLetter]]

commands = typer.Typer(name="dead-letters", help="Events that are not delivered any more.", no_args_is_help=True)

Types = Annotated[list[str] | None, typer.Option("--type", help="Only events of this type; may be given several times.")]
Since = Annotated[datetime | None, typer.Option("--since", help="Only those set aside at or after this time, UTC.")]
Until = Annotated[datetime | None, typer.Option("--until", help="Only those set aside before this time, UTC.")]
Reason = Annotated[str, typer.Option("--reason", help="Only those whose reason contains this.")]
Ids = Annotated[list[str] | None, typer.Argument(help="Log ids; none: all that the options match.")]
Everything = Annotated[bool, typer.Option("--all", help="Every dead letter, where nothing else says which.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@commands.command("list")
def list_dead_letters(
    types: Types = None, since: Since = None, until: Until = None, reason: Reason = "", as_json: Json = False
) -> None:
    """List dead letters, the oldest first."""
    from admin.cli.context import with_transport

    choice = _choice(None, types, since, until, reason)
    found = with_transport(lambda transport: _chosen(transport, choice))
    if as_json:
        show_json(list(map(_fields, found)))
    else:
        _print_table(found)


@commands.command()
def show(log_id: Annotated[str, typer.Argument(help="The log id.")]) -> None:
    """Show one dead letter with its event, as JSON."""
    from admin.cli.context import with_transport

    choice = _choice([log_id], None, None, None, "")
    (found,) = with_transport(lambda transport: _chosen(transport, choice))
    event = (found.record.value or b"").decode("utf-8", "backslashreplace")
    show_json({**_fields(found), "offset": found.record.offset, "event": event})


@commands.command()
def retry(
    log_ids: Ids = None,
    types: Types = None,
    since: Since = None,
    until: Until = None,
    reason: Reason = "",
    everything: Everything = False,
    rate: Annotated[float, typer.Option("--rate", min=0.01, help="At most so many a second.")] = 10.0,
    yes: Yes = False,
) -> None:
    """Send dead letters once more: they go to the end of the log, and consumers deliver them like any other event."""
    from admin.actions import dead_letters as actions

    choice = _narrowed(_choice(log_ids, types, since, until, reason), everything=everything)
    _act(choice, "Send", "again", "sent again", yes=yes, action=partial(actions.retry, rate=rate))


@commands.command()
def purge(
    log_ids: Ids = None,
    types: Types = None,
    since: Since = None,
    until: Until = None,
    reason: Reason = "",
    everything: Everything = False,
    yes: Yes = False,
) -> None:
    """Remove dead letters for good."""
    from admin.actions import dead_letters as actions

    choice = _narrowed(_choice(log_ids, types, since, until, reason), everything=everything)
    _act(choice, "Remove", "for good", "removed", yes=yes, action=actions.purge)


def _act(choice: Choice, verb: str, how: str, done: str, *, yes: bool, action: Action) -> None:
    """Count first, ask, then act; what was done before an error is said too."""
    from admin.cli.confirm import confirm
    from admin.cli.context import with_transport

    async def work(transport: Transport) -> None:
        which = await _chosen(transport, choice)
        if not which:
            say("no dead letter matches; nothing was done")
        elif confirm(f"{verb} {_count(which)} {how}?", yes=yes):
            count = 0
            try:
                async for _ in action(transport, which):
                    count += 1
            finally:
                say(f"{count} of {_count(which)} {done}")

    with_transport(work)


async def _chosen(transport: Transport, choice: Choice) -> Sequence[DeadLetter]:
    """Raises `ConfigurationError` for an id that is no dead letter."""
    from admin.actions import dead_letters as actions
    from shared.errors import ConfigurationError

    found = await actions.chosen(transport, choice)
    unknown = set(choice.log_ids) - {dead_letter.log_id for dead_letter in found}
    if unknown:
        raise ConfigurationError(
            [f"{log_id} is no dead letter (`auth0-webhooks dead-letters list`)" for log_id in sorted(unknown)]
        )
    return found


def _choice(
    log_ids: list[str] | None, types: list[str] | None, since: datetime | None, until: datetime | None, reason: str
) -> Choice:
    from admin.actions.dead_letters import Choice

    return Choice(log_ids=log_ids or (), types=types or (), since=_utc(since), until=_utc(until), reason=reason)


def _narrowed(choice: Choice, *, everything: bool) -> Choice:
    from shared.errors import ConfigurationError

    if choice.everything and not everything:
        raise ConfigurationError(["say which: log ids, --type, --since, --until, --reason, or --all"])
    return choice


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment


def _count(found: Sequence[DeadLetter]) -> str:
    return f"{len(found)} dead letter{'' if len(found) == 1 else 's'}"


def _fields(dead_letter: DeadLetter) -> dict[str, object]:
    from admin.actions.dead_letters import type_of

    return {
        "log_id": dead_letter.log_id,
        "type": type_of(dead_letter),
        "time": datetime.fromtimestamp(dead_letter.time, UTC).isoformat(timespec="seconds"),
        "attempts": dead_letter.attempts,
        "status": dead_letter.status,
        "reason": dead_letter.reason,
        "partition": dead_letter.partition,
    }


def _print_table(found: Sequence[DeadLetter]) -> None:
    if found:
        rows = map(_fields, found)
        names = ("log_id", "type", "time", "attempts", "status", "reason")
        heads = ("log id", "type", "set aside", "attempts", "status", "reason")
        show_table(heads, ([fields[name] or "-" for name in names] for fields in rows))
    say(_count(found))
