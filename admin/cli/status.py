"""`status`: how far the log is delivered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from admin.actions.status import PartitionStatus


def status(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show for each partition its end, the committed position, and what is not delivered yet."""
    from admin.actions.status import status as look
    from admin.cli.operate import on_log

    rows = on_log(look)
    if as_json:
        _print_json(rows)
    else:
        _print_table(rows)


def _print_json(rows: list[PartitionStatus]) -> None:
    import json
    from dataclasses import asdict

    typer.echo(json.dumps([{**asdict(row), "undelivered": row.undelivered} for row in rows], indent=2))


def _print_table(rows: list[PartitionStatus]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("partition", "begin", "end", "committed", "lag", "done beyond", "undelivered"):
        table.add_column(name, justify="right")
    for row in rows:
        committed = "-" if row.committed is None else str(row.committed)
        numbers = (row.partition, row.begin, row.end, committed, row.lag, row.done_beyond, row.undelivered)
        table.add_row(*map(str, numbers))
    Console(highlight=False, markup=False).print(table)


def register(app: typer.Typer) -> None:
    app.command()(status)
