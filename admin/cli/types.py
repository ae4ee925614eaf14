"""`types`: the table of Auth0's log event types, for a person or as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from admin.cli.output import say, show_json, show_table

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
    from dataclasses import asdict

    show_json([asdict(row) for row in rows])


def _print_table(rows: Sequence[LogType], *, total: int) -> None:
    from shared.log_types import LEVELS

    show_table(
        ("code", "name", "level", "category"),
        ((row.code, row.name, f"{row.level} {LEVELS[row.level]}", row.category) for row in rows),
    )
    say(f"\n{len(rows)} of {total} types")
