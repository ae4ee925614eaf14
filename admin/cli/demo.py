"""`demo`: the whole product in one terminal, without an account."""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from admin.cli.output import format_event
from admin.exits import Exit

if TYPE_CHECKING:
    from rich.console import Group

    from admin.actions.demo import Snapshot, Summary

NEXT = """
Your own tenant:
  1. In the Auth0 dashboard: Applications → Create Application → Machine to Machine,
     authorized for the Auth0 Management API with the permission read:logs.
  2. Put AUTH0_DOMAIN, AUTH0_CLIENT_ID, AUTH0_CLIENT_SECRET and WEBHOOK_URL into .env
     (.env.example lists everything).
  3. auth0-webhooks config show     what it makes of them
     auth0-webhooks listen          in another terminal: a receiver to try it with
     auth0-webhooks run             deliver, until Ctrl-C
"""


def demo() -> None:
    """Show it at work, with a fake Auth0 tenant and no account.

    A fake tenant, a receiver and one staged outage, on this machine. It takes about half a minute and leaves nothing behind.

    Examples:
      auth0-webhooks demo
    """
    from rich.console import Console

    from admin.actions.demo import Plan, play
    from admin.supervisor import run
    from shared import logging

    lines = io.StringIO()  # not on the screen that we draw; printed if something goes wrong
    logging.configure(verbosity="warning", log_format="console", stream=lines)
    summaries: list[Summary] = []
    live = sys.stdout.isatty()

    async def work(stop: asyncio.Event) -> None:
        with _shown(live=live) as show:
            summaries.append(await play(stop, show, plan=Plan(), every=0.1 if live else 1.0))

    run(work, grace=20)
    Console(highlight=False, soft_wrap=True).print(_conclusion(summaries[0]))
    typer.echo(NEXT)
    if not summaries[0].good:
        typer.echo(lines.getvalue(), err=True)
        raise typer.Exit(Exit.INTERNAL)


@contextmanager
def _shown(*, live: bool) -> Iterator[Callable[[Snapshot], None]]:
    """Redraws one screen in place; where standard output is no terminal, prints a line for each snapshot."""
    if not live:
        yield lambda snapshot: typer.echo(_line(snapshot))
        return
    from rich.live import Live

    with Live(auto_refresh=False) as screen:
        yield lambda snapshot: screen.update(_draw(snapshot), refresh=True)


def _phase(snapshot: Snapshot) -> str:
    if snapshot.outage:
        held = "; the breaker is open and probes" if snapshot.probing else ""
        return f"the receiver answers 503 (staged): events wait, nothing is lost{held}"
    if snapshot.probing:
        return "the receiver is back: the next probe will find out"
    return "delivering" if snapshot.fetched < snapshot.total or snapshot.lag else "everything delivered"


def _line(snapshot: Snapshot) -> str:
    return (
        f"{snapshot.elapsed:5.1f}s  fetched {snapshot.fetched}/{snapshot.total}  filtered {snapshot.filtered.total()}  "
        f"stored {snapshot.stored}  in flight {snapshot.in_flight}  delivered {snapshot.delivered}  "
        f"retried {snapshot.failed_attempts}  lag {snapshot.lag}  {snapshot.rate:.0f}/s  {_phase(snapshot)}"
    )


def _draw(snapshot: Snapshot) -> Group:
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    numbers = Table.grid(padding=(0, 2))
    numbers.add_column(style="dim", width=12)
    numbers.add_column(justify="right", width=7)
    numbers.add_column(style="dim")
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(snapshot.filtered.items())) or "none yet"
    numbers.add_row("fetched", str(snapshot.fetched), f"of {snapshot.total} in the tenant's log")
    numbers.add_row("filtered out", str(snapshot.filtered.total()), reasons)
    numbers.add_row("stored", str(snapshot.stored), "in the embedded log")
    numbers.add_row("in flight", str(snapshot.in_flight), f"calls open; {snapshot.waiting_for_retry} waiting for a retry")
    numbers.add_row("delivered", str(snapshot.delivered), f"answered 200; {snapshot.rate:.0f} a second")
    numbers.add_row("retried", str(snapshot.failed_attempts), "attempts that failed and are made again")
    numbers.add_row("lag", str(snapshot.lag), "stored and not yet delivered")
    style = "bold red" if snapshot.outage else "bold green"
    last = Text("\n".join(map(format_event, snapshot.last)), style="dim", no_wrap=True, overflow="ellipsis")
    return Group(
        Text.assemble(("auth0-webhooks demo", "bold"), f"   {snapshot.elapsed:.1f} s\n"),
        numbers,
        Text(f"\n{_phase(snapshot)}", style=style),
        ProgressBar(total=snapshot.total, completed=snapshot.delivered + snapshot.filtered.total(), width=72),
        Text("\nlast delivered", style="bold"),
        last,
    )


def _conclusion(summary: Summary) -> str:
    mark = "[bold green]✓[/]" if summary.good else "[bold red]✗[/]"
    return (
        f"\n{mark} {summary.delivered} of {summary.expected} events delivered in {summary.seconds:.1f} s, "
        f"{summary.filtered} filtered out, {summary.failed_attempts} attempts answered 503.\n"
        f"  Checked against the receiver's journal: {summary.missing} missing, {summary.duplicates} twice, "
        f"{summary.out_of_order} out of order for their user, {summary.altered} altered."
    )
