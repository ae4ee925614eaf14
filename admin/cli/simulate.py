"""`simulate` and `listen`: the two ends that the product connects, on one's own machine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from admin.cli.help import Commands
from admin.cli.options import FILE, PORT, SHARE, duration, number, one_of, option, rate, words
from admin.cli.output import format_event, say, show_body
from admin.cli.streams import reader_gone
from shared.errors import EnvironmentUnusable

if TYPE_CHECKING:
    from simulator.http import Server
    from simulator.journal import JournalEntry


class UnknownFrom(StrEnum):
    """What the tenant does with a `from` that it does not know; Auth0 documents nothing."""

    BAD_REQUEST = "400"
    NOT_FOUND = "404"
    OLDEST = "oldest"


commands = Commands("simulate", "Simulate an Auth0 tenant, to try things without an account.")


@commands.command()
def tenant(
    port: Annotated[int, option("--port", PORT, "Port to listen on; 0 takes a free one.")] = 8090,
    host: Annotated[str, option("--host", words("ADDRESS"), "Address to listen on.")] = "127.0.0.1",
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
        option("--unknown-from", one_of(UnknownFrom), "Answer to an unknown log id: an error, or the oldest entries."),
    ] = UnknownFrom.BAD_REQUEST,
) -> None:
    """Serve a fake Auth0 tenant, until Ctrl-C.

    It has a token endpoint and a log of made-up events, with rate limits as Auth0 has them.

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

    _run(lambda stop: _serve(server, host, port, stop, greeting))


def listen(
    port: Annotated[int, option("--port", PORT, "Port to listen on; 0 takes a free one.")] = 8080,
    host: Annotated[str, option("--host", words("ADDRESS"), "Address to listen on.")] = "127.0.0.1",
    status: Annotated[int, option("--status", number("CODE", 200, 599), "Answer with this status.")] = 200,
    latency: Annotated[float, option("--latency", duration(zero=True), "Seconds to take for each answer.")] = 0,
    journal: Annotated[Path | None, option("--journal", FILE, "Append a JSON line for each call to this file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print each body as it came, one a line.")] = False,
) -> None:
    """Receive events as your webhook would, and print them.

    Stop it with Ctrl-C.

    Examples:
      auth0-webhooks listen
      auth0-webhooks listen --port 9000 --status 503
    """
    from simulator.receiver import Receiver
    from simulator.wire import HttpResponse

    async def work(stop: asyncio.Event) -> None:
        errors: list[Exception] = []

        def on_entry(entry: JournalEntry) -> None:
            if as_json:
                show_body(entry.body)
            else:
                say(_line(entry))
            if reader_gone():
                stop.set()

        def on_error(error: Exception) -> None:
            errors.append(error)
            stop.set()

        with _translated(journal):
            receiver = Receiver(
                latency=latency,
                response=HttpResponse(status, b""),
                journal_file=journal,
                on_entry=on_entry,
                on_error=on_error,
            )
        await _serve(receiver, host, port, stop, lambda url: [f"listening; set WEBHOOK_URL={url}/"])
        receiver.journal.close()
        counts = f"{len(receiver.journal)} calls, {len(receiver.journal.delivered)} events answered 200"
        say(f"{counts}, {len(receiver.journal.duplicates)} of them again", to_person=True)
        with _translated(journal):
            for error in errors:
                raise error

    _run(work)


def _line(entry: JournalEntry) -> str:
    response = entry.status if entry.status is not None else entry.verdict
    return f"{response}  {format_event(entry.body)}{'  again' if entry.duplicate else ''}"


@contextmanager
def _translated(journal: Path | None) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EnvironmentUnusable(f"the journal {journal} cannot be written: {error.strerror or error}") from None


def _run(work: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    """Run `work(stop)` until it ends or a signal comes. Of our own log only warnings and errors are shown, on standard error."""
    from admin import supervisor
    from shared import logging
    from shared.settings import log_format

    logging.configure(verbosity="warning", log_format=log_format() or "console")
    supervisor.run(work, grace=5)


async def _serve(server: Server, host: str, port: int, stop: asyncio.Event, greeting: Callable[[str], list[str]]) -> None:
    """Greet on standard error and serve until `stop`. Raises `EnvironmentUnusable` where the address cannot be had."""
    try:
        await server.start(host, port)
    except OSError as error:
        raise EnvironmentUnusable(
            f"cannot listen on {host}:{port}: {error.strerror or error}. Choose another with --port (0 takes a free one)"
        ) from None
    for line in greeting(server.url):
        say(line, to_person=True)
    try:
        await stop.wait()
    finally:
        await server.stop()
