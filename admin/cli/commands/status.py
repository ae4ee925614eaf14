"""`status`: how far the log is delivered, and what holds it up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from admin.cli.context import with_log
from admin.cli.interruption import interruptible
from admin.cli.output import say, show_json
from admin.cli.streams import reader_gone
from admin.exits import Exit
from shared.errors import ConfigurationError, TransportUnusable

if TYPE_CHECKING:
    from admin.actions.looking.status import Overview
    from admin.actions.looking.status_view import StatusView
    from shared.settings import Settings
    from shared.transport.port import Transport

_EVERY: Final = 2.0  # seconds
_CLEAR: Final = "\x1b[H\x1b[2J\x1b[3J"


def status(
    watch: Annotated[bool, typer.Option("--watch", help="Show it again every two seconds, until Ctrl-C.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Exit with 3 unless it is delivering or idle.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show whether events are delivered, and what holds them up.

    The first line says it all; then follow the checkpoint, each partition, each process, and what cannot be known. Exit code 0
    whatever it shows, unless --check is given.

    Examples:
      auth0-webhooks status
      auth0-webhooks status --watch
      auth0-webhooks status --json
      auth0-webhooks status --check    # for a cron job or a probe
    """
    from admin.actions.looking.status import HEALTHY

    if watch and check:
        raise ConfigurationError(["--check ends with an exit code, and --watch does not end: give one of them"])
    if watch:
        with_log(lambda settings, transport: _watch(settings, transport, as_json=as_json))
        return
    seen = with_log(_look)
    _print(seen, as_json=as_json)
    if check and seen.state not in HEALTHY:
        raise typer.Exit(Exit.ENVIRONMENT)


async def _look(settings: Settings, transport: Transport) -> Overview:
    view = _view(settings, transport)
    try:
        return await view.look_for_sure()
    finally:
        await view.close()


def _view(settings: Settings, transport: Transport) -> StatusView:
    from admin.actions.looking.status_view import StatusView
    from admin.actions.reports import transport_fields

    return StatusView(transport, transport_fields(settings))


async def _watch(settings: Settings, transport: Transport, *, as_json: bool) -> None:
    import sys

    from shared.waiting import stopped_within

    view, clears = _view(settings, transport), sys.stdout.isatty() and not as_json
    try:
        with interruptible() as stop:
            while not (stop.is_set() or reader_gone()):
                try:
                    seen = await view.look()
                except TransportUnusable as error:
                    say(f"{error}; trying again", to_person=True)
                else:
                    typer.echo(_CLEAR if clears else "", nl=False)
                    _print(seen, as_json=as_json, indent=None)
                await stopped_within(stop, _EVERY)
    finally:
        await view.close()


def _print(seen: Overview, *, as_json: bool, indent: int | None = 2) -> None:
    if as_json:
        from admin.actions.looking.status_json import document

        show_json(document(seen), indent=indent)
    else:
        from admin.cli.status_text import show

        show(seen)
