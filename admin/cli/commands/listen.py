"""`listen`: a receiver for a person's eyes, which may refuse, fail and be slow."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from admin.cli import serving
from admin.cli.options import FILE, PORT, duration, number, option, some, words
from admin.cli.output import format_event, say, show_body, show_line
from admin.cli.streams import reader_gone
from shared.errors import ConfigurationError, EnvironmentUnusable, PageInvalid
from shared.terminal import columns_of

if TYPE_CHECKING:
    from simulator.journal import JournalEntry
    from simulator.receiver import Receiver
    from simulator.verification import Verifier


def listen(
    port: Annotated[int, option("--port", PORT, "Port to listen on; 0 takes a free one.")] = 8080,
    host: Annotated[str, option("--host", some("ADDRESS"), "Address to listen on.")] = "127.0.0.1",
    secrets: Annotated[
        list[str] | None,
        option("--secret", words("SECRET"), "Verify signatures by this WEBHOOK_SECRET; may be given several times."),
    ] = None,
    pretty: Annotated[bool, typer.Option("--pretty", help="Print each event as indented JSON, too.")] = False,
    headers: Annotated[bool, typer.Option("--headers", help="Print the headers of each call, too.")] = False,
    status: Annotated[int, option("--status", number("CODE", 200, 599), "Respond with this status.")] = 200,
    fail_first: Annotated[
        int, option("--fail-first", number("COUNT", 0, 1_000_000), "Refuse this many calls first; then respond with success.")
    ] = 0,
    latency: Annotated[float, option("--latency", duration(zero=True), "Seconds to take for each response.")] = 0,
    journal: Annotated[Path | None, option("--journal", FILE, "Append a JSON line for each call to this file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print each body as it came, and nothing else.")] = False,
) -> None:
    """Receive events as your webhook would, and print them.

    One line for each event: the response, then time, level, type, name (where there is room) and user; `again` for one that got
    its 200 before. With --secret it says whether the signature is valid, and responds as without it. --fail-first 3 responds to
    the first 3 calls with 503, then with 200; with --status 500 those 3 get 500, with --status 202 the later ones get 202. Stop
    it with Ctrl-C.

    Examples:
      auth0-webhooks listen
      auth0-webhooks listen --pretty --headers --secret "$WEBHOOK_SECRET"
      auth0-webhooks listen --fail-first 3 --latency 0.5
    """
    if as_json and (pretty or headers or secrets):
        raise ConfigurationError(["--json prints bodies and nothing else: leave out --pretty, --headers and --secret"])
    verifier = _verifier(secrets or ())
    printer = _Printer(verifier, pretty=pretty, headers=headers)

    async def work(stop: asyncio.Event) -> None:
        errors: list[Exception] = []

        def on_entry(entry: JournalEntry) -> None:
            if as_json:
                show_body(entry.body)
            else:
                printer.show(entry)
            if reader_gone():
                stop.set()

        def on_error(error: Exception) -> None:
            errors.append(error)
            stop.set()

        def variables(url: str) -> list[str]:
            return [*(f"WEBHOOK_SECRET={quote(secret)}" for secret in (secrets or ())[:1]), f"WEBHOOK_URL={url}/"]

        with _translated(journal):
            receiver = _receiver(status, fail_first, latency, journal, on_entry, on_error)
        await serving.serve(receiver, host, port, stop, "listening", variables)
        receiver.journal.close()
        say(_totals(receiver), to_person=True)
        with _translated(journal):
            for error in errors:
                raise error

    serving.run(work)


class _Printer:
    """Prints calls for a person."""

    def __init__(self, verifier: Verifier | None, *, pretty: bool, headers: bool) -> None:
        self._verifier = verifier
        self._pretty = pretty
        self._headers = headers

    def show(self, entry: JournalEntry) -> None:
        response = entry.status if entry.status is not None else entry.verdict
        end = f"{'  again' if entry.duplicate else ''}{self._signature(entry)}"
        bodies = events_in(entry.body)
        columns = columns_of(1)
        for body in bodies:
            say(f"{response}  {format_event(body, columns and columns - len(f'{response}  '))}{end}")
        if self._headers:
            show_line(f"  {entry.call.method} {entry.call.path}")
            for name, value in entry.headers:
                show_line(f"  {name}: {value}")
        if self._pretty:
            for body in bodies:
                show_body(body, indent=2)

    def _signature(self, entry: JournalEntry) -> str:
        if self._verifier is None:
            return ""
        objection = self._verifier.objection(dict(entry.headers), entry.body, time.time())
        return f"  signature invalid: {objection}" if objection else "  signature valid"


def events_in(body: bytes) -> Sequence[bytes]:
    """Returns the log entries in a body: one, a JSON array of them, or one a line. Where it holds none, the body itself."""
    from shared.event import slice_page

    lines = b",".join(line for line in body.split(b"\n") if line.strip())
    for page in (b"[" + body + b"]", body, b"[" + lines + b"]"):
        try:
            if found := slice_page(page):
                return [event.raw for event in found]
        except (PageInvalid, ValueError):
            continue
    return [body]


def _verifier(secrets: Sequence[str]) -> Verifier | None:
    """Raises `ConfigurationError`, without the secret, for one that WEBHOOK_SECRET would not take either."""
    if not secrets:
        return None
    from shared.parsers import InvalidValue
    from shared.settings.headers import signing_secret
    from simulator.verification import Verifier

    try:
        return Verifier([str(signing_secret.read(secret)) for secret in secrets])
    except InvalidValue as error:
        raise ConfigurationError([f"--secret {error}"]) from None


def _receiver(
    status: int,
    fail_first: int,
    latency: float,
    journal: Path | None,
    on_entry: Callable[[JournalEntry], None],
    on_error: Callable[[Exception], None],
) -> Receiver:
    """`status` is that of the first `fail_first` calls if it means a failure, else that of the others. Raises `OSError`."""
    from simulator import faults
    from simulator.receiver import Receiver
    from simulator.wire import HttpResponse

    means_success = 200 <= status <= 299
    usual = status if means_success or not fail_first else 200
    receiver = Receiver(
        latency=latency,
        response=HttpResponse(usual, b""),
        journal_file=journal,
        keep_entries=False,
        on_entry=on_entry,
        on_error=on_error,
    )
    if fail_first:
        receiver.script.add(
            faults.status(503 if means_success else status), times=fail_first, when=lambda call: call.method == "POST"
        )
    return receiver


def _totals(receiver: Receiver) -> str:
    journal = receiver.journal
    return f"{len(journal)} calls, {len(journal.delivered)} events got a 200, {journal.again} of the calls again"


@contextmanager
def _translated(journal: Path | None) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EnvironmentUnusable(f"the journal {journal} cannot be written: {error.strerror or error}") from None
