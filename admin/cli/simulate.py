"""`simulate`: the far ends, on one's own machine."""

from __future__ import annotations

import asyncio
import time
from enum import StrEnum
from typing import Annotated

import typer


class UnknownFrom(StrEnum):
    """What becomes of a `from` that the tenant does not know; Auth0 does not say which."""

    BAD_REQUEST = "400"
    NOT_FOUND = "404"
    OLDEST = "oldest"


commands = typer.Typer(name="simulate", help="Simulate what lies outside.", no_args_is_help=True)


@commands.callback()
def _group() -> None:
    """Simulate what lies outside, to try things without an account."""


@commands.command()
def tenant(
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8090,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    backlog: Annotated[int, typer.Option("--backlog", min=0, help="Entries that are in the log at the start.")] = 200,
    rate: Annotated[float, typer.Option("--rate", min=0, help="New entries a second.")] = 2.0,
    limit: Annotated[int | None, typer.Option("--limit", min=0, help="No more entries than this.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Another seed, other entries.")] = 0,
    nasty: Annotated[float, typer.Option("--nasty", min=0, max=1, help="Share of entries that are hard to swallow.")] = 0.05,
    errors: Annotated[float, typer.Option("--errors", min=0, max=1, help="Share of requests that fail or are late.")] = 0.0,
    burst: Annotated[int, typer.Option("--burst", min=1, help="Requests at once within the rate limit.")] = 50,
    per_second: Annotated[float, typer.Option("--per-second", min=0.01, help="Requests a second within the rate limit.")] = 16.0,
    unknown_from: Annotated[
        UnknownFrom, typer.Option("--unknown-from", help="Answer to a log id that is not there: an error, or the oldest entries.")
    ] = UnknownFrom.BAD_REQUEST,
) -> None:
    """Serve a made-up Auth0 tenant: token endpoint and log, with rate limits as Auth0 has them. Stop with Ctrl-C."""
    from admin.cli.serving import live, serve
    from simulator import faults
    from simulator.entries import Entries
    from simulator.rate_limit import RatePlan
    from simulator.tenant import Tenant
    from simulator.tenant_log import GeneratedLog
    from simulator.tokens import Application

    application = Application()
    log = GeneratedLog(origin=time.time(), backlog=backlog, rate=rate, limit=limit, entries=Entries(seed=seed, edge_cases=nasty))
    server = Tenant(log, application=application, plan=RatePlan(burst, per_second), unknown_from=unknown_from.value, seed=seed)
    if errors:
        server.faults.sometimes(errors, faults.status(500), faults.short_body(), faults.slow(2.0))

    def greeting(url: str) -> list[str]:
        return [
            "a simulated tenant; set",
            f"  AUTH0_DOMAIN={url}",
            f"  AUTH0_CLIENT_ID={application.client_id}",
            f"  AUTH0_CLIENT_SECRET={application.client_secret}",
        ]

    async def work(stop: asyncio.Event) -> None:
        await serve(server, host, port, stop, greeting)

    live(work)


def register(app: typer.Typer) -> None:
    app.add_typer(commands)
