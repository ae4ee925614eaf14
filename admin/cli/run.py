"""`run`: the whole path in one process."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from admin.cli.exits import Exit


def run(
    once: Annotated[
        bool, typer.Option("--once", help="Fetch until there is nothing newer, deliver all of it, and end; for cron.")
    ] = False,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0.1, help="With --once: seconds after which it ends with what is left.")
    ] = 3600.0,
) -> None:
    """Poll Auth0 and deliver to the webhook, in one process.

    Settings come from the environment and from .env; `auth0-webhooks config show` lists them. SIGTERM or Ctrl-C drains and
    commits; a second one ends at once. With --once the exit code is 3 when something was left.
    """
    from admin import compose
    from admin.actions import run as actions
    from admin.process import run as live
    from shared.settings import Role, load

    settings = load(Role.RUN)
    compose.configure_log(settings)
    left: list[actions.Leftover] = []

    async def work(stop: asyncio.Event) -> None:
        parts = (
            compose.transport(settings, concurrent_calls=settings.webhook.concurrent_calls),
            compose.poller(settings),
            compose.courier(settings),
        )
        if once:
            left.append(await actions.once(*parts, stop, within=timeout))
        else:
            await actions.forever(*parts, stop)

    live(work, grace=settings.loop.stop_grace)
    if left and (left[0].undelivered or not left[0].caught_up):
        _report(left[0].undelivered, caught_up=left[0].caught_up)
        raise typer.Exit(Exit.SURROUNDINGS)


def _report(undelivered: int, *, caught_up: bool) -> None:
    typer.echo(f"{undelivered} events are left in the log, to be delivered by the next run.", err=True)
    if not caught_up:
        typer.echo("Auth0's log was not read to its end; the next run goes on from the checkpoint.", err=True)


def register(app: typer.Typer) -> None:
    app.command()(run)
