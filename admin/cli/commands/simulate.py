"""`simulate`: a fake Auth0 tenant on one's own machine."""

from __future__ import annotations

import time
from enum import StrEnum
from typing import Annotated

from admin.cli import serving
from admin.cli.help import Commands
from admin.cli.options import PORT, SHARE, number, one_of, option, rate, some


class UnknownFrom(StrEnum):
    """What the tenant does with a `from` that it does not know; Auth0 documents nothing."""

    BAD_REQUEST = "400"
    NOT_FOUND = "404"
    OLDEST = "oldest"


commands = Commands("simulate", "Simulate an Auth0 tenant, to try things without an account.")


@commands.command()
def tenant(
    port: Annotated[int, option("--port", PORT, "Port to listen on; 0 takes a free one.")] = 8090,
    host: Annotated[str, option("--host", some("ADDRESS"), "Address to listen on.")] = "127.0.0.1",
    backlog: Annotated[int, option("--backlog", number("COUNT", 0, 1_000_000), "Entries in the log at the start.")] = 200,
    rate: Annotated[float, option("--rate", rate("entries"), "New entries a second.")] = 2,
    limit: Annotated[int | None, option("--limit", number("COUNT", 0, 1_000_000_000), "No more entries than this.")] = None,
    seed: Annotated[int, option("--seed", number("NUMBER", -(2**31), 2**31), "Another seed, other entries.")] = 0,
    nasty: Annotated[float, option("--nasty", SHARE, "Share of entries with odd content, 0 to 1.")] = 0.05,
    errors: Annotated[float, option("--errors", SHARE, "Share of requests that fail or are late, 0 to 1.")] = 0,
    burst: Annotated[int, option("--burst", number("COUNT", 1, 1_000_000), "Requests at once within the rate limit.")] = 50,
    per_second: Annotated[float, option("--per-second", rate("requests", 0.01), "Requests a second within the rate limit.")] = 16,
    unknown_from: Annotated[
        UnknownFrom,
        option("--unknown-from", one_of(UnknownFrom), "Response to an unknown log id: an error, or the oldest entries."),
    ] = UnknownFrom.BAD_REQUEST,
) -> None:
    """Serve a fake Auth0 tenant, until Ctrl-C.

    It has a token endpoint, a log of made-up events and the users in them, with rate limits as Auth0 has them. Each start makes
    another log; to read it after an earlier one, remove the file of SQLITE_PATH or run `auth0-webhooks checkpoint reset`.

    Examples:
      auth0-webhooks simulate tenant
      auth0-webhooks simulate tenant --rate 10 --errors 0.1
    """
    from simulator import faults
    from simulator.entries import Entries
    from simulator.rate_limit import RatePlan
    from simulator.tenant import Tenant
    from simulator.tenant_log import GeneratedLog
    from simulator.tokens import Application
    from simulator.users import Users

    application = Application(scope="read:logs read:users update:users")
    entries = Entries(seed=seed, edge_cases=nasty)
    log = GeneratedLog(origin=time.time(), backlog=backlog, rate=rate, limit=limit, entries=entries)
    server = Tenant(
        log,
        application=application,
        plan=RatePlan(burst, per_second),
        users=Users(entries.profiles()),
        unknown_from=unknown_from.value,
        seed=seed,
    )
    if errors:
        server.faults.sometimes(errors, faults.status(500), faults.short_body(), faults.slow(2.0))

    def variables(url: str) -> list[str]:
        return [
            f"AUTH0_DOMAIN={url}",
            f"AUTH0_CLIENT_ID={application.client_id}",
            f"AUTH0_CLIENT_SECRET={application.client_secret}",
        ]

    serving.run(lambda stop: serving.serve(server, host, port, stop, "a fake Auth0 tenant", variables))
