"""`types`: the table of Auth0's log event types, for a person or as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.log_types import LogType


def types(
    name: Annotated[str, typer.Option("--name", help="Only types whose name or code contains this.")] = "",
    level: Annotated[int, typer.Option("--level", min=0, max=4, help="Only types of this level and above.")] = 0,
    category: Annotated[str, typer.Option("--category", help="Only types whose category contains this.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the log event types that LOG_TYPES and LOG_LEVEL select from."""
    from shared.log_types import table

    chosen = [
        row
        for row in table().values()
        if name.lower() in f"{row.name} {row.code}".lower() and category.lower() in row.category.lower() and row.level >= level
    ]
    if as_json:
        _print_json(chosen)
    else:
        _print_table(chosen, total=len(table()))


def _print_json(rows: Sequence[LogType]) -> None:
    import json
    from dataclasses import asdict

    typer.echo(json.dumps([asdict(row) for row in rows], indent=2, ensure_ascii=False))


def _print_table(rows: Sequence[LogType], *, total: int) -> None:
    import sys

    from rich.console import Console
    from rich.table import Table

    from shared.log_types import LEVELS

    table = Table("code", "name", "level", "category", box=None, header_style="bold", pad_edge=False)
    for row in rows:
        table.add_row(row.code, row.name, f"{row.level} {LEVELS[row.level]}", row.category)
    console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 200)
    console.print(table)
    console.print(f"\n{len(rows)} of {total} types", style="dim")


def register(app: typer.Typer) -> None:
    app.command()(types)
