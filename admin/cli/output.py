"""What commands print on standard output: lines and tables for a person, JSON for a program.

Nothing in it can move the cursor or turn the writing round, wherever the text comes from: a log id is what a tenant, or another
program that writes to the topic, made it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, Final

import typer

from shared.text import visible

if TYPE_CHECKING:
    from rich.console import Console

#: Where no terminal says how wide it is: cells are not cut.
_WIDE: Final = 240


def say(text: str, *, to_person: bool = False) -> None:
    """A line, or several. `to_person`: on standard error, beside what the command was asked for."""
    typer.echo(visible(text, keep="\n"), err=to_person)


def show_json(value: Any, *, indent: int | None = 2) -> None:
    """A terminal shows what is not printable as its escape, a program reads it as it was."""
    utf8 = sys.stdout.encoding.lower() in ("utf-8", "utf8")
    typer.echo(escaped(json.dumps(value, indent=indent, ensure_ascii=not utf8)))


def show_body(body: bytes) -> None:
    """A body as it came, byte for byte; on a terminal escaped as JSON can be."""
    typer.echo(escaped(body.decode("utf-8", "backslashreplace")) if sys.stdout.isatty() else body)


def escaped(document: str) -> str:
    """JSON, with the same value, of printable characters alone and the line ends that it has."""
    if document.isprintable():
        return document
    return "".join(c if c.isprintable() or c == "\n" else _escape(c) for c in document)


def _escape(character: str) -> str:
    return "\\u007f" if character == "\x7f" else json.dumps(character)[1:-1]


def show_table(heads: Sequence[str], rows: Iterable[Sequence[object]], *, right: bool = False, dim: Iterable[bool] = ()) -> None:
    """A cell that does not fit is folded. `right`: to the right, for numbers. `dim`: for each row whether it matters less."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    for head in heads:
        table.add_column(head, justify="right" if right else "left")
    for row, faint in zip(rows, chain(dim, repeat(False)), strict=False):
        style = "dim" if faint else ""
        table.add_row(*(Text(visible(str(cell)), style=style, overflow="fold") for cell in row))
    console().print(table)


def console() -> Console:
    from rich.console import Console

    return Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else _WIDE)
