"""`run`, `produce` and `consume`: the long-running commands."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from admin.cli.options import duration, option
from admin.exits import Exit

if TYPE_CHECKING:
    from admin.actions.run import Beside, Leftover, Loops


def run(
    once: Annotated[bool, typer.Option("--once", help="Fetch and deliver all that is there now, then end; for cron.")] = False,
    timeout: Annotated[
        float, option("--timeout", duration(least=0.1), "With --once: end after this time, even if events are left.")
    ] = 3600,
) -> None:
    """Fetch events from Auth0 and deliver them to your webhook.

    Settings come from the environment and from .env; `auth0-webhooks config show` lists them. SIGTERM or Ctrl-C drains and
    commits; a second one ends at once. With --once the exit code is 3 when something was left.

    Examples:
      auth0-webhooks run
      auth0-webhooks run --once --timeout 600
    """
    left = _run("run", within=timeout if once else None)
    if left and (left.undelivered or not left.caught_up or left.paused):
        from shared.logging import get_logger

        log, undelivered = get_logger(__name__), left.undelivered
        if left.paused:
            log.error(f"{left.paused}. Nothing is delivered until auth0-webhooks resume ends that")
        if undelivered:
            log.error(f"{undelivered} events are left in the log, to be delivered by the next run", undelivered=undelivered)
        if not left.caught_up:
            log.error("Auth0's log was not read to its end; the next run goes on from the checkpoint")
        raise typer.Exit(Exit.ENVIRONMENT)


def produce() -> None:
    """Only fetch events from Auth0, and store them in the log.

    Of several replicas on Kafka one fetches, the others stand by.

    Examples:
      auth0-webhooks produce
    """
    _run("produce")


def consume() -> None:
    """Only deliver events from the log to your webhook.

    Replicas on Kafka share the partitions, and the limit on open calls.

    Examples:
      auth0-webhooks consume
    """
    _run("consume")


def _run(command: str, *, within: float | None = None) -> Leftover | None:
    """Load the settings of the role, wait for the transport, and work until a stop, or once for `within` seconds.

    Returns what is left; None without `within`, and if a stop came before the transport could be reached.
    """
    from admin import compose, compose_transport, supervisor
    from admin.actions import run as actions
    from admin.actions.reports import log_start
    from admin.cli.run_progress import run_progress
    from shared import logging
    from shared.settings import Role, load, log_format

    logging.configure(verbosity="info", log_format=log_format())  # for warnings while the settings are read
    settings = load(Role(command))
    compose.configure_log(settings)
    compose.require_descriptors(settings)
    left: list[Leftover] = []

    async def work(stop: asyncio.Event) -> None:
        log_start(settings)
        if within is not None:
            await once(stop, within)
        elif settings.observability.metrics_port is None:
            await serve(stop, compose.loops(settings))
        else:
            monitoring, loops = compose.monitored(settings)
            async with monitoring.serving(settings.observability.metrics_host, settings.observability.metrics_port):
                await serve(stop, loops, monitoring.follow)

    async def serve(stop: asyncio.Event, loops: Loops, beside: Beside | None = None) -> None:
        if await compose_transport.wait_for_transport(settings, stop):
            health, reporter = settings.observability.health_file, compose.reporter(settings, loops)
            await actions.serve(
                compose_transport.transport(settings), loops, stop, health=health, reporter=reporter, beside=beside
            )

    async def once(stop: asyncio.Event, within: float) -> None:
        if await compose_transport.wait_for_transport(settings, stop):
            poller, worker = compose.poller_and_worker(settings)
            reporter = compose.reporter(settings, (poller, worker))
            async with run_progress(poller, worker):
                left.append(
                    await actions.once(
                        compose_transport.transport(settings), poller, worker, stop, within=within, reporter=reporter
                    )
                )

    # A producer has nothing to drain, and no loop settings.
    supervisor.run(work, grace=20.0 if settings.role is Role.PRODUCE else settings.loop.stop_grace)
    return left[0] if left else None
