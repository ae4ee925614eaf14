"""`tail`: the newest events of the log, and those that come."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from admin.cli.context import with_transport
from admin.cli.interruption import interruptible
from admin.cli.options import LEVEL, TYPE, number, option, words
from admin.cli.output import format_event, say, show_json
from admin.cli.streams import reader_gone
from shared.terminal import columns_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from admin.actions.looking.tail import Passing, Wanted
    from shared.errors import TransportUnusable
    from shared.transport.port import Reader, Transport


def tail(
    types: Annotated[list[str] | None, option("--type", TYPE, "Only events of this type; may be given several times.")] = None,
    level: Annotated[int, option("--level", LEVEL, "Only events of this level and above; a number or its name.")] = 0,
    user: Annotated[str, option("--user", words("USER_ID"), "Only events of this user, by the whole id.")] = "",
    follow: Annotated[bool, typer.Option("--follow", help="Then print events as they come, until Ctrl-C.")] = False,
    count: Annotated[int, option("--number", number("COUNT", 0, 10_000), "How many of the newest to print.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object for each event, one a line.")] = False,
) -> None:
    """Show the newest events of the log, one line each.

    Those that passed the filter, delivered or not: time, level, type, name, user, log id. `auth0-webhooks show LOG_ID` says
    what became of one. Consumers do not notice it.

    Examples:
      auth0-webhooks tail --follow
      auth0-webhooks tail --number 100 --type fp --user 'auth0|5f7c8ec7'
    """
    from admin.actions.looking.tail import Wanted

    wanted = Wanted(types=frozenset(types or ()), level=level, user=user)
    with_transport(lambda transport: _tail(transport, wanted, count, follow=follow, as_json=as_json))


async def _tail(transport: Transport, wanted: Wanted, count: int, *, follow: bool, as_json: bool) -> None:
    from admin.actions.looking.tail import MOST, newest

    reader = await transport.reader()
    try:
        found = await newest(reader, wanted, count)
        if not found.complete:
            say(f"only the newest {MOST} records of each partition were looked at", to_person=True)
        if count and not (found.events or follow):
            say("no event in the log matches; `auth0-webhooks explain` says what the filter leaves out", to_person=True)
        for passing in found.events:
            _print(passing, as_json=as_json)
        if follow:
            await _follow(reader, wanted, found.ends, as_json=as_json)
    finally:
        await reader.close()


async def _follow(reader: Reader, wanted: Wanted, ends: Mapping[int, int], *, as_json: bool) -> None:
    from admin.actions.looking.tail import follow

    def on_outage(error: TransportUnusable | None) -> None:
        say(f"{error}; trying again" if error else "the log can be read again", to_person=True)

    with interruptible() as stop:
        async for passing in follow(reader, wanted, ends, stop, on_outage):
            _print(passing, as_json=as_json)
            if reader_gone():
                return


def _print(passing: Passing, *, as_json: bool) -> None:
    from admin.actions.looking.tail import header
    from shared.log_types import table

    record, code = passing.record, header(passing.record, "type")
    body, log_id = record.value or b"", header(record, "log-id")
    if not as_json:
        say(f"{format_event(body, columns_of(1))}  {log_id or '-'}")
        return
    known = table().get(code)
    show_json(
        {
            "log_id": log_id,
            "type": code,
            "level": known.level if known else None,
            "date": header(record, "date"),
            "partition": passing.partition,
            "offset": record.offset,
            "published": datetime.fromtimestamp(record.timestamp, UTC).isoformat(timespec="milliseconds"),
            "event": body.decode("utf-8", "backslashreplace"),
        },
        indent=None,
    )
