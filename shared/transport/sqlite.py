"""The embedded log: one SQLite file (WAL), one partition, one poller and one consumer, in one process or in two.

Each of the publisher, the member and the onlooker has one connection and one thread of its own, so that a slow disk never stops
the event loop. `synchronous=NORMAL` is enough: a power cut can undo the newest transactions, but only whole and in order, and
each holds what belongs together (a page and its checkpoint; a position), so the work is done again and nothing is lost.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from math import inf
from pathlib import Path
from typing import IO, Final, TypeVar

from shared.errors import PublishFailed, TransportUnusable
from shared.event import Event
from shared.log import get_logger
from shared.record import Record, headers_of, key_of
from shared.transport import checkpoint as documents
from shared.transport.port import Batch, Checkpoint, Handler, Member, Position, Progress, Publisher, Transport

PARTITION: Final = 0
APPLICATION_ID: Final = 0x41305748  # "A0WH", what `file` and we know our files by
#: Migration n brings a file from `user_version` n to n + 1.
MIGRATIONS: Final = (
    """
    CREATE TABLE record (
        offset INTEGER PRIMARY KEY AUTOINCREMENT, log_id TEXT NOT NULL UNIQUE, key BLOB, value BLOB,
        headers TEXT NOT NULL, timestamp REAL NOT NULL
    );
    CREATE TABLE checkpoint (id INTEGER PRIMARY KEY CHECK (id = 0), document BLOB NOT NULL);
    CREATE TABLE committed (partition INTEGER PRIMARY KEY, offset INTEGER NOT NULL, metadata TEXT NOT NULL);
    """,
)
_BUSY_TIMEOUT: Final = 10.0  # seconds; below STOP_GRACE
_LOOK_EVERY: Final = 0.05  # seconds between two looks for new records
_TIDY_EVERY: Final = 60.0
_TIDY_AT_MOST: Final = 10_000  # records removed in one go, so that no commit takes long

log = get_logger(__name__)
T = TypeVar("T")


class SqliteTransport(Transport):
    """The log in the file `path`, which is made when it is not there yet.

    `retention_days`: delivered records are removed after that time; what is not delivered stays, however old.
    `concurrent_calls`: the whole limit is the one member's share.
    """

    def __init__(self, path: Path, *, retention_days: float, concurrent_calls: int = 1) -> None:
        self._path = path
        self._retention = retention_days * 86_400
        self._concurrent_calls = concurrent_calls
        self._onlooker: _File | None = None

    async def publisher(self) -> Publisher:
        return SqlitePublisher(await _File.open(self._path))

    async def member(self, handler: Handler) -> Member:
        file = await _File.open(self._path)
        try:
            return await SqliteMember.join(file, handler, self._concurrent_calls, self._retention)
        except BaseException:
            await file.close()
            raise

    async def progress(self) -> Mapping[int, Progress]:
        if self._onlooker is None:
            self._onlooker = await _File.open(self._path)
        return {PARTITION: await self._onlooker.run(_progress)}

    async def close(self) -> None:
        if self._onlooker is not None:
            await self._onlooker.close()


class SqlitePublisher(Publisher):
    def __init__(self, file: _File) -> None:
        self._file = file

    async def lead(self) -> Checkpoint | None:
        self._file.lock("poller")
        return await self._file.run(_read_checkpoint, self._file.path)

    async def renew(self) -> None:
        """The lock on the file is ours until we end."""

    async def publish(self, events: Sequence[Event], checkpoint: Checkpoint) -> int:
        try:
            return await self._file.run(_publish, events, checkpoint)
        except TransportUnusable as error:
            raise PublishFailed(str(error)) from None

    async def close(self) -> None:
        await self._file.close()


class SqliteMember(Member):
    session: Final = inf

    def __init__(self, file: _File, handler: Handler, position: Position, retention: float) -> None:
        self._file = file
        self._handler = handler
        self._next = position.offset
        self._retention = retention
        self._tidied = time.monotonic()
        self._closed = False

    @classmethod
    async def join(cls, file: _File, handler: Handler, concurrent_calls: int, retention: float) -> SqliteMember:
        file.lock("consumer")
        progress = await file.run(_progress)
        position = progress.committed or Position(progress.begin)
        if progress.committed is None:
            log.info("no committed position yet: starting at the oldest record", file=str(file.path), offset=position.offset)
        handler.share(concurrent_calls)
        handler.assigned(PARTITION, position)
        return cls(file, handler, position, retention)

    async def poll(self, *, wait: float, limit: int, hold: Collection[int]) -> Sequence[Batch]:
        deadline = time.monotonic() + wait
        while True:
            records = [] if PARTITION in hold else await self._file.run(_read, self._next, limit)
            if records:
                self._next = records[-1].offset + 1
                return [Batch(PARTITION, records)]
            left = deadline - time.monotonic()
            if left <= 0:
                return []
            await asyncio.sleep(min(left, _LOOK_EVERY))

    async def commit(self, positions: Mapping[int, Position]) -> bool:
        tidy = time.monotonic() - self._tidied >= _TIDY_EVERY
        try:
            if PARTITION in positions:
                await self._file.run(_commit, positions[PARTITION], time.time() - self._retention if tidy else None)
        except TransportUnusable as error:
            log.error("the position could not be stored; trying again", reason=str(error))
            return False
        if tidy:
            self._tidied = time.monotonic()
        return True

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            await self.commit(await self._handler.revoked([PARTITION]))
        finally:
            await self._file.close()


class _File:
    """One connection in one thread, and the locks that its owner took on the file."""

    def __init__(self, path: Path, thread: ThreadPoolExecutor, connection: sqlite3.Connection) -> None:
        self.path = path
        self._thread = thread
        self._connection = connection
        self._locks: dict[str, IO[str]] = {}

    @classmethod
    async def open(cls, path: Path) -> _File:
        thread = ThreadPoolExecutor(1, thread_name_prefix="sqlite")
        try:
            connection = await asyncio.get_running_loop().run_in_executor(thread, _connect, path)
        except BaseException:
            thread.shutdown(wait=False)
            raise
        return cls(path, thread, connection)

    async def run(self, work: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._run, work, arguments)

    def _run(self, work: Callable[..., T], arguments: tuple[object, ...]) -> T:
        with _translated(self.path):
            return work(self._connection, *arguments)

    def lock(self, role: str) -> None:
        """Be the only one with this role on the file; the system gives the lock back when the process ends, however it ends.

        On files of their own, since closing any handle of the database itself would drop SQLite's own locks.
        """
        if role in self._locks:
            return
        name = f"{self.path}.{role}.lock"
        with _translated(self.path):
            handle = Path(name).open("w")  # noqa: SIM115  held open: it is the lock
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            handle.close()
            raise TransportUnusable(
                f"{self.path} already has a {role} ({name} is locked): stop the other auth0-webhooks first, or give this one "
                "a file of its own with SQLITE_PATH. To run several consumers use Kafka"
            ) from None
        self._locks[role] = handle

    async def close(self) -> None:
        with suppress(TransportUnusable, RuntimeError):  # RuntimeError: closed before
            await self.run(sqlite3.Connection.close)
        self._thread.shutdown(wait=False)
        for handle in self._locks.values():
            handle.close()
        self._locks.clear()


def _connect(path: Path) -> sqlite3.Connection:
    with _translated(path):
        connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
        try:
            with _transaction(connection, "DEFERRED"):
                _version(connection, path)  # before anything is written: a file that is not ours stays as it is
            _use_wal(connection)
            connection.execute("PRAGMA synchronous=NORMAL")
            with _transaction(connection):
                _migrate(connection, _version(connection, path))
        except BaseException:
            connection.close()
            raise
    return connection


def _use_wal(connection: sqlite3.Connection) -> None:
    """Two connections that do this at the same moment do not wait for each other: one is told "busy" at once."""
    deadline = time.monotonic() + _BUSY_TIMEOUT
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """The schema version of a file of ours, 0 for an empty one. Raises `TransportUnusable` for any other file."""
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    (owner,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if tables and owner != APPLICATION_ID:
        raise TransportUnusable(f"{path} is an SQLite file of another program: name a file of our own with SQLITE_PATH")
    if version > len(MIGRATIONS):
        raise TransportUnusable(
            f"{path} has schema version {version}, this release knows {len(MIGRATIONS)}: upgrade auth0-webhooks, "
            "or name another file with SQLITE_PATH"
        )
    return version


def _migrate(connection: sqlite3.Connection, version: int) -> None:
    for migration in MIGRATIONS[version:]:
        for statement in migration.split(";"):
            connection.execute(statement)
    # Also where nothing is to be done: on a read-only file this is the first thing that fails, BEGIN IMMEDIATE does not.
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version={len(MIGRATIONS)}")


def _publish(connection: sqlite3.Connection, events: Sequence[Event], checkpoint: Checkpoint) -> int:
    now = time.time()
    known = "SELECT 1 FROM record WHERE log_id = ?"
    insert = "INSERT INTO record (log_id, key, value, headers, timestamp) VALUES (?, ?, ?, ?, ?)"
    published = 0
    with _transaction(connection):
        for event in events:
            if connection.execute(known, (event.log_id,)).fetchone() is None:
                headers = json.dumps([(name, value.decode("ascii")) for name, value in headers_of(event)])
                connection.execute(insert, (event.log_id, key_of(event), event.raw, headers, now))
                published += 1
        connection.execute("INSERT OR REPLACE INTO checkpoint VALUES (0, ?)", (documents.dump(checkpoint),))
    return published


def _read_checkpoint(connection: sqlite3.Connection, path: Path) -> Checkpoint | None:
    row = connection.execute("SELECT document FROM checkpoint").fetchone()
    return documents.parse(row[0], where=f"{path}, table checkpoint")[0] if row else None


def _read(connection: sqlite3.Connection, offset: int, limit: int) -> list[Record]:
    rows = connection.execute(
        "SELECT offset, key, value, headers, timestamp FROM record WHERE offset >= ? ORDER BY offset LIMIT ?", (offset, limit)
    )
    return [
        Record(offset, key, value, [(name, text.encode("ascii")) for name, text in json.loads(headers)], timestamp)
        for offset, key, value, headers, timestamp in rows
    ]


def _commit(connection: sqlite3.Connection, position: Position, tidy_before: float | None) -> None:
    with _transaction(connection):
        connection.execute("INSERT OR REPLACE INTO committed VALUES (?, ?, ?)", (PARTITION, position.offset, position.metadata))
        if tidy_before is not None:
            connection.execute(
                "DELETE FROM record WHERE offset IN "
                "(SELECT offset FROM record WHERE offset < ? AND timestamp < ? ORDER BY offset LIMIT ?)",
                (position.offset, tidy_before, _TIDY_AT_MOST),
            )


def _progress(connection: sqlite3.Connection) -> Progress:
    with _transaction(connection, "DEFERRED"):
        sequence = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'record'").fetchone()
        (oldest,) = connection.execute("SELECT min(offset) FROM record").fetchone()
        committed = connection.execute("SELECT offset, metadata FROM committed").fetchone()
    end = sequence[0] + 1 if sequence else 1
    return Progress(begin=oldest or end, end=end, committed=Position(*committed) if committed else None)


@contextmanager
def _transaction(connection: sqlite3.Connection, kind: str = "IMMEDIATE") -> Iterator[None]:
    connection.execute(f"BEGIN {kind}")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # a full disk has rolled back already
            connection.execute("ROLLBACK")
        raise


_ADVICE: Final = {
    "SQLITE_NOTADB": "is not an SQLite file: name another with SQLITE_PATH",
    "SQLITE_CANTOPEN": "cannot be opened or made: look at its folder and its rights, or name another with SQLITE_PATH",
    "SQLITE_READONLY": "or its folder is read-only: change the rights, or name another with SQLITE_PATH",
    "SQLITE_FULL": "is on a full disk: make room",
    "SQLITE_BUSY": "is held by another program for more than 10 s: look who has it open",
    "SQLITE_CORRUPT": "is damaged: restore it from a backup, or name another with SQLITE_PATH",
    "SQLITE_IOERR": "cannot be read or written: the disk or the file system reports an error",
}


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """No error of SQLite or of the file system leaves this file."""
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "")
        advice = next((text for code, text in _ADVICE.items() if name.startswith(code)), f"failed: {error}")
        raise TransportUnusable(f"the log file {path} {advice}") from None
    except OSError as error:
        raise TransportUnusable(f"the log file {path} cannot be used: {error.strerror or error}") from None
