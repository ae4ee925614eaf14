"""`dead-letters`: look at what is not delivered any more, send it again, or remove it."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated, Final

import typer

from admin.cli.dead_letter_text import fields_of, how_many, named, none_found, show_dead_letters
from admin.cli.help import Commands
from admin.cli.options import COUNT, DEAD_LETTER, TIME, TYPE, Value, argument, option, rate, words
from admin.cli.output import parsed, say, show_body, show_json
from admin.cli.usage import quoted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from admin.actions.dead_letters import Choice, Chosen
    from shared.transport.port import DeadLetter, Transport

    Action = Callable[[Transport, Sequence[DeadLetter]], AsyncIterator[DeadLetter]]

#: Read after a look at the dead letters: a type that our table does not know yet may be among them.
_ANY_TYPE: Final = Value("TYPE", words("TYPE").parser, TYPE.complete)

commands = Commands("dead-letters", "Look at events that were given up, retry or remove them.")

Types = Annotated[list[str] | None, option("--type", _ANY_TYPE, "Only events of this type; may be given several times.")]
Since = Annotated[datetime | None, option("--since", TIME, "Only those set aside since: 2026-07-31, 2026-07-31T18:30 (UTC), 2h.")]
Until = Annotated[datetime | None, option("--until", TIME, "Only those set aside before.")]
Reason = Annotated[str, option("--reason", words("WORDS"), "Only those whose reason contains this.")]
Ids = Annotated[list[str] | None, argument(DEAD_LETTER, "Log ids, or their beginnings; none: all that the options match.")]
Everything = Annotated[bool, typer.Option("--all", help="Every dead letter, where nothing else says which.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@commands.command("list")
def list_dead_letters(
    types: Types = None,
    since: Since = None,
    until: Until = None,
    reason: Reason = "",
    limit: Annotated[int | None, option("--limit", COUNT, "At most so many; if not given, 100, and all as JSON.")] = None,
    as_json: Json = False,
) -> None:
    """List dead letters, the oldest first.

    Examples:
      auth0-webhooks dead-letters list
      auth0-webhooks dead-letters list --type fp --since 2h --limit 20
    """
    from admin.cli.context import with_transport

    choice = _choice(None, types, since, until, reason)
    found = with_transport(lambda transport: _chosen(transport, choice))
    if as_json:
        show_json(list(map(fields_of, found.dead_letters[:limit])))
    else:
        show_dead_letters(found, choice, limit)


@commands.command()
def show(
    log_id: Annotated[str, argument(DEAD_LETTER, "Its log id, or the beginning of it.")],
    event: Annotated[bool, typer.Option("--event", help="Print only its event, indented.")] = False,
) -> None:
    """Show one dead letter with its event, as JSON.

    `rules` is what rules said of the event, if they ran on it; a retry sends that again.

    Examples:
      auth0-webhooks dead-letters show 90020261129183000000
      auth0-webhooks dead-letters show 90020261129183000000 --event
    """
    from admin.actions.dead_letters import rules_of
    from admin.cli.context import with_transport

    choice = _choice([log_id], None, None, None, "")
    (found,) = with_transport(lambda transport: _chosen(transport, choice)).dead_letters
    body = found.record.value or b""
    if event:
        show_body(body, indent=2)
    else:
        said = rules_of(found)
        fields = {**fields_of(found), "offset": found.record.offset, "rules": None if said is None else parsed(said)}
        show_json({**fields, "event": body.decode("utf-8", "backslashreplace")})


@commands.command()
def retry(
    log_ids: Ids = None,
    types: Types = None,
    since: Since = None,
    until: Until = None,
    reason: Reason = "",
    everything: Everything = False,
    rate: Annotated[float, option("--rate", rate("events", 0.01), "At most so many a second.")] = 10,
    rules: Annotated[bool, typer.Option("--rules", help="Run the rules again on those that they ran on.")] = False,
    yes: Yes = False,
) -> None:
    """Send dead letters again.

    They go to the end of the log, and consumers deliver them like any other event.

    What rules said of an event is sent again as it was; with --rules they run once more, with all that they do outside. An event
    that is a dead letter because a rule failed runs its rules in any case.

    Examples:
      auth0-webhooks dead-letters retry 90020261129183000000
      auth0-webhooks dead-letters retry --reason 503 --rate 5
      auth0-webhooks dead-letters retry --type s --rules
      auth0-webhooks dead-letters retry --all
    """
    from admin.actions import dead_letters as actions

    choice = _narrowed(_choice(log_ids, types, since, until, reason), everything=everything)
    command, how = ("retry --rules", "again, with rules") if rules else ("retry", "again")
    _act(command, choice, "Send", how, "sent again", yes=yes, action=partial(actions.retry, rate=rate, rules=rules))


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
    _act("purge", choice, "Remove", "for good", "removed", yes=yes, action=actions.purge)


def _act(command: str, choice: Choice, verb: str, how: str, done: str, *, yes: bool, action: Action) -> None:
    """Count first, ask, then act; what was done before an error is said too."""
    from admin.actions.audit import noted
    from admin.cli.confirm import confirm
    from admin.cli.context import operator, with_transport
    from admin.cli.progress import progress

    async def work(transport: Transport) -> None:
        found = await _chosen(transport, choice)
        which = found.dead_letters
        if not which:
            say(f"{none_found(found, choice)}; nothing was done")
        elif confirm(f"{verb} {named(which)} {how}?", yes=yes):
            count = 0
            log_ids = [one.log_id for one in which]
            async with noted(transport, by=operator(), what=f"dead-letters {command}", log_ids=log_ids) as audit:
                try:
                    with progress(len(which)) as step:
                        async for _ in action(transport, which):
                            count += 1
                            step()
                finally:
                    audit.result = f"{count} of {how_many(which)} {done}"
                    say(audit.result)

    with_transport(work)


async def _chosen(transport: Transport, choice: Choice) -> Chosen:
    """Raises `ConfigurationError` for a type that neither our table nor a dead letter has."""
    from admin.actions import dead_letters as actions
    from shared.errors import ConfigurationError
    from shared.parsers import InvalidValue

    found = await actions.chosen(transport, choice)
    for code in choice.types:
        if code not in found.types:
            try:
                TYPE.parser.read(code)
            except InvalidValue as error:
                raise ConfigurationError([f"--type {quoted(code)}: {error}"]) from None
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
