"""`demo`: the whole product in one terminal, without an account."""

from __future__ import annotations

import asyncio
import io
import os
import shlex
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from admin.cli.streams import reader_gone
from admin.exits import Exit
from shared.text import visible

if TYPE_CHECKING:
    from rich.console import Console, Group
    from rich.table import Table

    from admin.actions.demo import Snapshot, Summary

NEXT: Final = """
Next, your own tenant:
  1. In the Auth0 dashboard: Applications > Create Application > Machine to
     Machine, authorized for the Auth0 Management API with the permission
     read:logs.
  2. Write the settings into a file .env:

       test -e .env || auth0-webhooks config example > .env

     and fill in AUTH0_DOMAIN, AUTH0_CLIENT_ID, AUTH0_CLIENT_SECRET and
     WEBHOOK_URL; for a try that is http://127.0.0.1:8080/, which is `listen`:

       auth0-webhooks listen
  3. In another terminal look at the settings, then deliver until Ctrl-C:

       auth0-webhooks config show
       auth0-webhooks run
"""

#: What happens, in a word or two, and in a sentence.
PHASES: Final = {
    "delivering": "delivering",
    "503 (staged)": "the receiver answers 503 (staged): events wait, a breaker probes, none is lost",
    "probing": "the receiver is back: the next probe will find out",
    "delivered": "everything is delivered",
    "stopped": "stopped",
}


def demo() -> None:
    """Show it at work, with a fake Auth0 tenant and no account.

    A fake tenant, a receiver and one staged outage, on this machine. It takes about 15 seconds and leaves nothing behind. Ctrl-C
    ends it earlier.

    Examples:
      auth0-webhooks demo
    """
    typer.echo("A fake Auth0 tenant, a receiver, and one staged outage: about 15 seconds.\n")  # the imports take a moment
    from rich.console import Console

    from admin.actions.demo import Plan, play
    from admin.supervisor import run
    from shared import logging

    lines = io.StringIO()  # not on the screen that we draw; printed if something goes wrong
    logging.configure(verbosity="warning", log_format="console", stream=lines)
    summaries: list[Summary] = []
    console = Console(highlight=False)
    live = console.is_terminal and not console.is_dumb_terminal

    async def work(stop: asyncio.Event) -> None:
        with _shown(console, stop, live=live) as show:
            summaries.append(await play(stop, show, plan=Plan(), every=0.1 if live else 1.0))

    run(work, grace=20)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C does not hide what follows
    (summary,) = summaries
    console.print(_conclusion(summary), markup=False)
    if summary.good:
        console.print(f"{_activation()}{NEXT}", markup=False)
    elif not (summary.interrupted and summary.right):
        typer.echo(lines.getvalue(), err=True)
        raise typer.Exit(Exit.INTERNAL)


@contextmanager
def _shown(console: Console, stop: asyncio.Event, *, live: bool) -> Iterator[Callable[[Snapshot], None]]:
    """Redraws one screen in place, or prints a line for each snapshot. A reader that went away stops the demo."""
    if not live:

        def show_line(snapshot: Snapshot) -> None:
            typer.echo(_line(snapshot))
            if reader_gone():
                stop.set()

        yield show_line
        return
    from rich.live import Live

    with Live(console=console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False) as screen:
        console.show_cursor()  # Ctrl-Z would leave a shell without one
        yield lambda snapshot: screen.update(_draw(snapshot), refresh=True)


def _phase(snapshot: Snapshot) -> str:
    """Returns a key of `PHASES`."""
    if snapshot.complete:
        return "delivered"
    if snapshot.stopped:
        return "stopped"
    if snapshot.outage:
        return "503 (staged)"
    return "probing" if snapshot.probing else "delivering"


def _line(snapshot: Snapshot) -> str:
    return (
        f"{snapshot.elapsed:4.1f} s  fetched {snapshot.fetched}/{snapshot.total}  filtered {snapshot.filtered.total()}  "
        f"delivered {snapshot.delivered}/{snapshot.stored}  failed {snapshot.failed_attempts}  {_phase(snapshot)}"
    )


def _draw(snapshot: Snapshot) -> Group:
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.text import Text

    style = "bold red" if snapshot.outage else "bold green"
    return Group(
        Text.assemble(("auth0-webhooks demo", "bold"), f"   {snapshot.elapsed:.1f} s\n"),
        _numbers(snapshot),
        Text(f"\n{PHASES[_phase(snapshot)]}", style=style),
        ProgressBar(total=snapshot.total, completed=snapshot.delivered + snapshot.filtered.total(), width=72),
        Text("\nlast delivered", style="bold"),
        _events(snapshot.last),
        # The last line is short: the ^C of a terminal must not begin another one.
        Text("" if snapshot.stopped else "Ctrl-C ends it", style="dim"),
    )


def _numbers(snapshot: Snapshot) -> Table:
    from rich.table import Table

    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(snapshot.filtered.items())) or "none yet"
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(justify="right", min_width=5, no_wrap=True)
    table.add_column(style="dim")
    table.add_row("fetched", str(snapshot.fetched), f"of {snapshot.total} in the tenant's log")
    table.add_row("filtered out", str(snapshot.filtered.total()), reasons)
    table.add_row("stored", str(snapshot.stored), "in the embedded log")
    table.add_row("in flight", str(snapshot.in_flight), f"calls open; {snapshot.waiting_for_retry} waiting for a retry")
    table.add_row("delivered", str(snapshot.delivered), f"answered 200; {snapshot.rate:.0f} a second")
    table.add_row("failed", str(snapshot.failed_attempts), "attempts, each made again")
    table.add_row("lag", str(snapshot.lag), "stored and not yet delivered")
    return table


def _events(bodies: tuple[bytes, ...]) -> Table:
    from rich.table import Table

    table = Table.grid(padding=(0, 2), expand=True)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(style="dim", no_wrap=True, ratio=1)  # gives way in a narrow terminal
    for body in bodies:
        table.add_row(*_cells(body))
    return table


def _cells(body: bytes) -> tuple[str, str, str]:
    """Returns time, user, and the name and code of the type."""
    from shared.event import slice_page
    from shared.log_types import table

    (event,) = slice_page(b"[" + body + b"]")
    known = table().get(event.type)
    return event.date[11:19], visible(event.user_id) or "-", visible(f"{known.name if known else 'unknown type'} ({event.type})")


def _conclusion(summary: Summary) -> str:
    last = summary.last
    if summary.interrupted:
        head = f"Stopped after {last.elapsed:.1f} s: {last.delivered} of {last.stored} events delivered"
    else:
        mark = "OK" if summary.good else "NOT OK"
        head = f"{mark}: {last.delivered} of {summary.expected} events delivered in {last.elapsed:.1f} s"
    again = f"; {last.failed_attempts} attempts answered 503, each made again" if last.failed_attempts else ""
    lost = "" if summary.interrupted else f"{summary.missing} missing, "
    return (
        f"\n{head}\n"
        f"  {last.filtered.total()} filtered out{again}\n"
        f"  checked against the receiver's journal: {lost}{summary.duplicates} twice,\n"
        f"  {summary.out_of_order} out of order for their user, {summary.altered} altered"
    )


def _activation() -> str:
    """Returns how the shell finds the command, where it does not."""
    activate = Path(sys.prefix, "bin", "activate")
    if shutil.which("auth0-webhooks") or not activate.exists():
        return ""
    return f"\nSo that your shell finds auth0-webhooks:\n\n       . {shlex.quote(os.path.relpath(activate))}\n"
