"""`listen`: a receiver for a person's eyes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from admin.cli.output import say, show_body
from admin.cli.streams import reader_gone

if TYPE_CHECKING:
    from simulator.journal import JournalEntry


def listen(
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8080,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    status: Annotated[int, typer.Option("--status", min=200, max=599, help="Answer with this status.")] = 200,
    latency: Annotated[float, typer.Option("--latency", min=0, help="Seconds to take for each answer.")] = 0.0,
    journal: Annotated[Path | None, typer.Option("--journal", help="Append a JSON line for each call to this file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print each body as it came, one a line.")] = False,
) -> None:
    """Receive events as your webhook would, and print each in one line. Stop with Ctrl-C."""
    from admin.actions.lines import readable
    from admin.cli.serving import live, serve
    from simulator.receiver import Receiver
    from simulator.wire import HttpResponse

    trouble: list[Exception] = []

    def show(delivery: JournalEntry) -> None:
        if as_json:
            show_body(delivery.body)
        else:
            answered = delivery.status if delivery.status is not None else delivery.verdict
            mark = "  again" if delivery.duplicate else ""
            say(f"{answered}  {readable(delivery.body)}{mark}")

    async def work(stop: asyncio.Event) -> None:
        def on_entry(delivery: JournalEntry) -> None:
            show(delivery)
            if reader_gone():
                stop.set()

        def on_error(error: Exception) -> None:
            trouble.append(error)
            stop.set()

        with _usable(journal):
            receiver = Receiver(
                latency=latency,
                response=HttpResponse(status, b""),
                journal_file=journal,
                on_entry=on_entry,
                on_error=on_error,
            )
        await serve(receiver, host, port, stop, lambda url: [f"listening; set WEBHOOK_URL={url}/"])
        receiver.journal.close()
        counts = f"{len(receiver.journal)} calls, {len(receiver.journal.delivered)} events answered 200"
        say(f"{counts}, {len(receiver.journal.duplicates)} of them again", to_person=True)
        with _usable(journal):
            for error in trouble:
                raise error

    live(work)


@contextmanager
def _usable(journal: Path | None) -> Iterator[None]:
    from shared.errors import EnvironmentUnusable

    try:
        yield
    except OSError as error:
        raise EnvironmentUnusable(f"the journal {journal} cannot be written: {error.strerror or error}") from None


def register(app: typer.Typer) -> None:
    app.command()(listen)
