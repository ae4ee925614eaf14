"""What commands print on standard output: lines and tables for a person, JSON for a program.

No text can move the cursor or reverse the writing, wherever it comes from: a log id holds what a tenant, or another program
that writes to the topic, put there.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from itertools import chain, repeat
from typing import Any, Final

import typer

from shared.text import visible

#: The width of a table where standard output is no terminal: wide enough that cells are not folded.
_WIDE: Final = 240


def say(text: str, *, to_person: bool = False) -> None:
    """Print one line or several. `to_person`: on standard error, beside what the command was asked for."""
    typer.echo(visible(text, keep="\n"), err=to_person)


def show_json(value: Any, *, indent: int | None = 2) -> None:
    """What is not printable is escaped; a program that parses the JSON gets the same value."""
    utf8 = sys.stdout.encoding.lower() in ("utf-8", "utf8")
    typer.echo(escaped(json.dumps(value, indent=indent, ensure_ascii=not utf8)))


def show_body(body: bytes) -> None:
    """Print a body byte for byte; on a terminal escaped as JSON can be."""
    typer.echo(escaped(body.decode("utf-8", "backslashreplace")) if sys.stdout.isatty() else body)


def escaped(document: str) -> str:
    """Returns JSON with the same value, made only of printable characters and the line ends that it has."""
    if document.isprintable():
        return document
    return "".join(c if c.isprintable() or c == "\n" else _escape(c) for c in document)


def _escape(character: str) -> str:
    return "\\u007f" if character == "\x7f" else json.dumps(character)[1:-1]


def show_table(heads: Sequence[str], rows: Iterable[Sequence[object]], *, right: bool = False, dim: Iterable[bool] = ()) -> None:
    """A cell that does not fit is folded. `right`: align right, for numbers. `dim`: for each row, whether to print it dimmed."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    for head in heads:
        table.add_column(head, justify="right" if right else "left")
    for row, dimmed in zip(rows, chain(dim, repeat(False)), strict=False):
        style = "dim" if dimmed else ""
        table.add_row(*(Text(visible(str(cell)), style=style, overflow="fold") for cell in row))
    Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else _WIDE).print(table)


def format_event(body: bytes) -> str:
    """Returns one line: time, level, type code, type name, user. Says so where `body` is no log entry."""
    from shared.errors import PageInvalid
    from shared.event import slice_page
    from shared.log_types import LEVELS, table

    try:
        (event,) = slice_page(b"[" + body + b"]")
    except (PageInvalid, ValueError):
        return f"(not a log entry: {len(body)} bytes)"
    known = table().get(event.type)
    level, name = (LEVELS[known.level], known.name) if known else ("?", "")
    time, name = event.date[11:19] or "--:--:--", name or "unknown type"
    return f"{visible(time)}  {level:8} {visible(event.type):18.18} {name:40.40} {visible(event.user_id) or '-'}"
