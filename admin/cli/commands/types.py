"""`types`: the table of Auth0's log event types, for a person or as JSON."""

from __future__ import annotations

from typing import Annotated

import typer

from admin.cli.options import LEVEL, option, words
from admin.cli.output import say, show_json, show_table


def types(
    name: Annotated[str, option("--name", words("WORDS"), "Only types whose name or code contains this.")] = "",
    level: Annotated[int, option("--level", LEVEL, "Only types of this level and above: 0 to 4, or its name.")] = 0,
    category: Annotated[str, option("--category", words("WORDS"), "Only types whose category contains this.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List Auth0's log event types, with their codes and levels.

    LOG_TYPES and LOG_LEVEL select from these.

    Examples:
      auth0-webhooks types --name login
      auth0-webhooks types --level error
    """
    from dataclasses import asdict

    from shared.log_types import LEVELS, table

    chosen = [
        row
        for row in table().values()
        if name.lower() in f"{row.name} {row.code}".lower() and category.lower() in row.category.lower() and row.level >= level
    ]
    if not chosen and not as_json:
        say(f"none of {len(table())} types matches; `auth0-webhooks types` lists all")
        return
    if as_json:
        show_json([asdict(row) for row in chosen])
        return
    cells = ((row.code, row.name, f"{row.level} {LEVELS[row.level]}", row.category) for row in chosen)
    show_table(("code", "name", "level", "category"), cells)
    say(f"\n{len(chosen)} of {len(table())} types")
