"""`run`, `produce` and `consume`: the long-running commands."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Annotated, Any

import typer

from admin.exits import Exit

if TYPE_CHECKING:
    from admin.actions.run import Leftover
    from shared.settings import Role, Settings


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
    from shared.settings import Role

    left: list[Leftover] = []

    async def work(settings: Settings, stop: asyncio.Event) -> None:
        transport, poller, worker = compose.transport(settings), compose.poller(settings), compose.worker(settings)
        if once:
            left.append(await actions.once(transport, poller, worker, stop, within=timeout))
        else:
            await actions.serve(transport, (poller, worker), stop, settings.observability.health_file)

    _live(Role.RUN, work)
    if left and (left[0].undelivered or not left[0].caught_up):
        _report(left[0].undelivered, caught_up=left[0].caught_up)
        raise typer.Exit(Exit.ENVIRONMENT)


def produce() -> None:
    """Poll Auth0 and store events in the log. Of several replicas on Kafka one polls, the others stand by."""
    from admin import compose
    from admin.actions.run import serve
    from shared.settings import Role

    async def work(settings: Settings, stop: asyncio.Event) -> None:
        loops = (compose.poller(settings),)
        await serve(compose.transport(settings), loops, stop, settings.observability.health_file)

    _live(Role.PRODUCE, work)


def consume() -> None:
    """Deliver events from the log to the webhook. Replicas on Kafka share the partitions, and the limit on open calls."""
    from admin import compose
    from admin.actions.run import serve
    from shared.settings import Role

    async def work(settings: Settings, stop: asyncio.Event) -> None:
        loops = (compose.worker(settings),)
        await serve(compose.transport(settings), loops, stop, settings.observability.health_file)

    _live(Role.CONSUME, work)


def _live(role: Role, work: Callable[[Settings, asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    """Load the settings of the role, wait until the log answers, and work until told to stop."""
    from admin import compose
    from admin.actions.reports import say_what_begins
    from admin.supervisor import run as live
    from shared import logging
    from shared.settings import Role, load, log_format

    logging.configure(verbosity="info", log_format=log_format())  # for what the settings say of themselves
    settings = load(role)
    compose.configure_log(settings)
    compose.require_descriptors(settings)

    async def begin(stop: asyncio.Event) -> None:
        say_what_begins(settings)
        if await compose.wait_for_transport(settings, stop):
            await work(settings, stop)

    # A producer has nothing to drain: the loop section of the settings is not among its own.
    live(begin, grace=20.0 if role is Role.PRODUCE else settings.loop.stop_grace)


def _report(undelivered: int, *, caught_up: bool) -> None:
    from shared.logging import get_logger

    log = get_logger(__name__)
    if undelivered:
        log.error(f"{undelivered} events are left in the log, to be delivered by the next run", undelivered=undelivered)
    if not caught_up:
        log.error("Auth0's log was not read to its end; the next run goes on from the checkpoint")
