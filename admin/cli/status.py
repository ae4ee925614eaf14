"""`status`: how far the log is delivered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from admin.cli.context import with_transport
from admin.cli.output import say, show_json, show_table

if TYPE_CHECKING:
    from admin.actions.status import PartitionStatus, Status


def status(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show how many events are not delivered yet, and where.

    For each partition: its first and its last offset, the committed one, and what is not delivered.

    Examples:
      auth0-webhooks status
      auth0-webhooks status --json
    """
    from admin.actions.status import overview

    seen = with_transport(overview)
    if as_json:
        _print_json(seen)
    else:
        _print_table(seen)


def _print_json(seen: Status) -> None:
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
    show_json(document)


def _print_table(seen: Status) -> None:
    heads = ("partition", "begin", "end", "committed", "lag", "done beyond", "undelivered")
    show_table(heads, map(_cells if seen.used else _cells_of_unused, seen.partitions), right=True)
    say(f"\n{seen.sentence}")


def _cells(row: PartitionStatus) -> tuple[object, ...]:
    committed = "-" if row.committed is None else row.committed
    return row.partition, row.begin, row.end, committed, row.lag, row.done_beyond, row.undelivered


def _cells_of_unused(row: PartitionStatus) -> tuple[object, ...]:
    return row.partition, row.begin, row.end, "-", "-", "-", "-"
