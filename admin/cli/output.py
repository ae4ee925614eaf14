"""What commands print on standard output: lines and tables for a person, JSON for a program.

No text can move the cursor or reverse the writing, wherever it comes from: a log id holds what a tenant, or another program
that writes to the topic, put there.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Iterable, Sequence
from itertools import chain, repeat
from typing import Any, Final

import typer

from shared.terminal import columns_of, fitted
from shared.text import visible

#: The width of a table where standard output is no terminal: wide enough that cells are not folded.
_WIDE: Final = 240
#: Characters that a column gets at least, and between two columns.
_NARROW: Final = 8
_GAP: Final = 2
#: Of a line about an event, all but the type's name, with a user id of the longest usual kind (`google-oauth2|` and 24 digits).
_BESIDE_NAME: Final = 78


def say(text: str, *, to_person: bool = False) -> None:
    """Print one line or several; on a terminal they are broken at words. `to_person`: on standard error, beside the result."""
    typer.echo(fitted(visible(text, keep="\n"), 2 if to_person else 1), err=to_person)


def show_line(text: str, *, to_person: bool = False) -> None:
    """Print one line that is never broken, so that it can be copied."""
    typer.echo(visible(text), err=to_person)


def show_json(value: Any, *, indent: int | None = 2) -> None:
    """What is not printable is escaped; a program that parses the JSON gets the same value."""
    utf8 = sys.stdout.encoding.lower() in ("utf-8", "utf8")
    typer.echo(escaped(json.dumps(value, indent=indent, ensure_ascii=not utf8)))


def show_body(body: bytes, *, indent: int | None = None) -> None:
    """Print a body byte for byte; on a terminal escaped as JSON can be. `indent`: as JSON for a person to read, if it is JSON."""
    text = body.decode("utf-8", "backslashreplace")
    if indent:
        typer.echo(escaped(_indented(text, indent)))
    else:
        typer.echo(escaped(text) if sys.stdout.isatty() else body)


def parsed(document: bytes) -> Any:
    """Returns the value of a JSON document; its text where it is none."""
    text = document.decode("utf-8", "backslashreplace")
    try:
        value = json.loads(text, strict=False)
        json.dumps(value, allow_nan=False)  # what Python reads beyond JSON
    except (ValueError, RecursionError):
        return text
    return value


def _indented(text: str, indent: int) -> str:
    try:
        return json.dumps(json.loads(text, strict=False), indent=indent, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text


def escaped(document: str) -> str:
    """Returns JSON with the same value, made only of printable characters and the line ends that it has."""
    if document.isprintable():
        return document
    return "".join(c if c.isprintable() or c == "\n" else _escape(c) for c in document)


def _escape(character: str) -> str:
    return "\\u007f" if character == "\x7f" else json.dumps(character)[1:-1]


def show_table(
    heads: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    right: bool = False,
    dim: Iterable[bool] = (),
    whole: Collection[str] = (),
) -> None:
    """`right`: align right, for numbers. `dim`: for each row, whether to print it dimmed.

    A cell that does not fit is folded, but never one below a head in `whole`, such as a log id; heads are broken at words alone.
    Where these leave no room for the others, each row is printed as a paragraph.
    """
    cells = [[visible(str(cell)) for cell in row] for row in rows]
    wide = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    least = [
        width if head in whole else max(min(width, _NARROW), *map(len, head.split()), 0)
        for head, width in zip(heads, wide, strict=True)
    ]
    columns = columns_of(1) or _WIDE
    room = columns - _GAP * (len(heads) - 1)
    if sum(least) > room:
        _show_paragraphs(heads, cells)
    else:
        _show_grid(heads, cells, widths(wide, least, room), columns=columns, right=right, dim=dim)


def widths(wide: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """Returns how wide each column becomes: the widest gives way, down to its least, until all fit. Pure."""
    found = [min(width, room) for width in wide]
    while sum(found) > room and (above := [index for index, width in enumerate(found) if width > least[index]]):
        found[max(above, key=found.__getitem__)] -= 1
    return found


def _show_grid(
    heads: Sequence[str],
    cells: Iterable[Sequence[str]],
    wide: Iterable[int],
    *,
    columns: int,
    right: bool,
    dim: Iterable[bool],
) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    for head, width in zip(heads, wide, strict=True):
        table.add_column(head, justify="right" if right else "left", width=width)
    for row, dimmed in zip(cells, chain(dim, repeat(False)), strict=False):
        table.add_row(*(Text(cell, style="dim" if dimmed else "", overflow="fold") for cell in row))
    Console(highlight=False, markup=False, width=columns).print(table)


def _show_paragraphs(heads: Sequence[str], cells: Iterable[Sequence[str]]) -> None:
    for first, *others in cells:
        say(first)
        say("  " + ", ".join(f"{head} {cell}" for head, cell in zip(heads[1:], others, strict=True)))


def format_event(body: bytes, room: int | None = None) -> str:
    """Returns one line: time, level, type code, type name, user. Says so where `body` is no log entry.

    `room`: the characters that a terminal has for it. The name gives way for the user, first to its column's half, then wholly.
    """
    from shared.errors import PageInvalid
    from shared.event import slice_page
    from shared.log_types import LEVELS, table
    from shared.masking import excerpt

    try:
        (event,) = slice_page(b"[" + body + b"]")
    except (PageInvalid, ValueError):
        return f"(not a log entry: {len(body)} bytes)"
    known = table().get(event.type)
    level, name = (LEVELS[known.level], known.name) if known else ("?", "")
    time, name = event.date[11:19] or "--:--:--", name or "unknown type"
    code, user = visible(excerpt(event.type, 60)), visible(event.user_id) or "-"
    width = 40 if room is None else min(40, room - _BESIDE_NAME - max(0, len(code) - 18))
    if width < 20:
        return f"{visible(time)} {level:8} {code:16} {user}"
    return f"{visible(time)}  {level:8} {code:18} {name:{width}.{width}} {user}"
