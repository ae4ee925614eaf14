"""`dead-letters`: look at what is not delivered any more, send it again, or remove it."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from admin.cli.help import Commands
from admin.cli.options import LOG_ID, TIME, TYPE, argument, option, rate, words
from admin.cli.output import say, show_json, show_table

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from admin.actions.dead_letters import Choice
    from shared.transport.port import DeadLetter, Transport

    Action = Callable[[Transport, Sequence[DeadLetter]], AsyncIterator[DeadLetter]]

commands = Commands("dead-letters", "Look at events that were given up, retry or remove them.")

Types = Annotated[list[str] | None, option("--type", TYPE, "Only events of this type; may be given several times.")]
Since = Annotated[datetime | None, option("--since", TIME, "Only those set aside since: 2026-07-31, or 2026-07-31T18:30; UTC.")]
Until = Annotated[datetime | None, option("--until", TIME, "Only those set aside before.")]
Reason = Annotated[str, option("--reason", words("WORDS"), "Only those whose reason contains this.")]
Ids = Annotated[list[str] | None, argument(LOG_ID, "Which; none: all that the options match.")]
Everything = Annotated[bool, typer.Option("--all", help="Every dead letter, where nothing else says which.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@commands.command("list")
def list_dead_letters(
    types: Types = None, since: Since = None, until: Until = None, reason: Reason = "", as_json: Json = False
) -> None:
    """List dead letters, the oldest first.

    Examples:
      auth0-webhooks dead-letters list
      auth0-webhooks dead-letters list --type fp --since 2026-07-31
    """
    from admin.cli.context import with_transport

    choice = _choice(None, types, since, until, reason)
    found = with_transport(lambda transport: _chosen(transport, choice))
    if as_json:
        show_json(list(map(_fields, found)))
    else:
        _print_table(found)


@commands.command()
def show(log_id: Annotated[str, argument(LOG_ID, "Of its event.")]) -> None:
    """Show one dead letter with its event, as JSON.

    Examples:
      auth0-webhooks dead-letters show 90020261129183000000
    """
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
    rate: Annotated[float, option("--rate", rate("events", 0.01), "At most so many a second.")] = 10,
    yes: Yes = False,
) -> None:
    """Send dead letters again.

    They go to the end of the log, and consumers deliver them like any other event.

    Examples:
      auth0-webhooks dead-letters retry 90020261129183000000
      auth0-webhooks dead-letters retry --reason 503 --rate 5
      auth0-webhooks dead-letters retry --all
    """
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
    """Remove dead letters for good.

    Examples:
      auth0-webhooks dead-letters purge 90020261129183000000
      auth0-webhooks dead-letters purge --until 2026-07-31
    """
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

    return Choice(log_ids=log_ids or (), types=types or (), since=since, until=until, reason=reason)


def _narrowed(choice: Choice, *, everything: bool) -> Choice:
    from shared.errors import ConfigurationError

    if choice.everything and not everything:
        raise ConfigurationError(["say which: log ids, --type, --since, --until, --reason, or --all"])
    return choice


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
