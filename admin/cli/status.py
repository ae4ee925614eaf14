"""`status`: how far the log is delivered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from admin.actions.status import Status


def status(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show for each partition its end, the committed position, and what is not delivered yet."""
    from admin.actions.status import overview
    from admin.cli.operate import on_log

    seen = on_log(overview)
    if as_json:
        _print_json(seen)
    else:
        _print_table(seen)


def _print_json(seen: Status) -> None:
    import json
    from dataclasses import asdict

    unknown = {} if seen.used else {"lag": None}
    document = {
        "sentence": seen.sentence,
        **asdict(seen.consumers),
        "undelivered": seen.undelivered if seen.used else None,
        "partitions": [
            {**asdict(row), **unknown, "undelivered": row.undelivered if seen.used else None} for row in seen.partitions
        ],
    }
    typer.echo(json.dumps(document, indent=2))


def _print_table(seen: Status) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("partition", "begin", "end", "committed", "lag", "done beyond", "undelivered"):
        table.add_column(name, justify="right")
    for row in seen.partitions:
        committed = "-" if row.committed is None else row.committed
        delivered = (row.lag, row.done_beyond, row.undelivered) if seen.used else ("-", "-", "-")
        table.add_row(*map(str, (row.partition, row.begin, row.end, committed, *delivered)))
    console = Console(highlight=False, markup=False)
    console.print(table)
    console.print(f"\n{seen.sentence}", soft_wrap=True)


def register(app: typer.Typer) -> None:
    app.command()(status)
