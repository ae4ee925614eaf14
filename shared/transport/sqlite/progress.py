"""How far the embedded log is."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from shared.documents import checkpoint as documents
from shared.transport.port import Checkpoint, Position, Progress, Repeats
from shared.transport.sqlite.file import Connection, transaction

PARTITION: Final = 0


def progress(connection: Connection) -> Progress:
    with transaction(connection, "DEFERRED"):
        sequence = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'record'").fetchone()
        (oldest,) = connection.execute("SELECT min(offset) FROM record").fetchone()
        committed = connection.execute("SELECT offset, metadata FROM committed").fetchone()
    end = sequence[0] + 1 if sequence else 1
    return Progress(begin=oldest or end, end=end, committed=Position(*committed) if committed else None)


def checkpoint(connection: Connection, path: Path) -> Checkpoint | None:
    row = connection.execute("SELECT document FROM checkpoint").fetchone()
    return documents.parse(row[0], where=f"{path}, table checkpoint")[0] if row else None


def repeats(connection: Connection) -> Repeats:
    """An event that is in the file is not published again; one that retention has removed is."""
    with transaction(connection, "DEFERRED"):
        sequence = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'record'").fetchone()
        (there,) = connection.execute("SELECT count(*) FROM record").fetchone()
    return Repeats(held=0, removed=(sequence[0] if sequence else 0) - there)
