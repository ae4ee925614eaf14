"""The file of the embedded log: schema, transactions and errors. The one module that knows `sqlite3`.

Each user of the file has a connection and a thread of its own, so a slow disk never stops the event loop.
`synchronous=NORMAL` is enough: a power cut can undo the newest transactions, but only whole and in order, and each holds what
belongs together (a page and its checkpoint; a position), so the work is done again and nothing is lost.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TypeVar

from shared.descriptors import REMEDY, are_short, is_shortage
from shared.errors import PublishFailed, TransportUnusable
from shared.transport.sqlite import paths

APPLICATION_ID: Final = 0x41305748  # "A0WH": marks our files, also for `file`
#: Migration n brings a file from `user_version` n to n + 1.
MIGRATIONS: Final = (
    """
    CREATE TABLE record (
        offset INTEGER PRIMARY KEY AUTOINCREMENT, log_id TEXT NOT NULL, again INTEGER NOT NULL DEFAULT 0,
        key BLOB, value BLOB, headers TEXT NOT NULL, timestamp REAL NOT NULL
    );
    CREATE UNIQUE INDEX record_once ON record (log_id) WHERE again = 0;
    CREATE TABLE checkpoint (id INTEGER PRIMARY KEY CHECK (id = 0), document BLOB NOT NULL);
    CREATE TABLE committed (partition INTEGER PRIMARY KEY, offset INTEGER NOT NULL, metadata TEXT NOT NULL);
    CREATE TABLE dead_letter (log_id TEXT PRIMARY KEY, time REAL NOT NULL, document BLOB NOT NULL);
    CREATE TABLE control (key TEXT PRIMARY KEY, document BLOB NOT NULL)
    """,
    "CREATE INDEX record_by_age ON record (timestamp)",
)
_BUSY_TIMEOUT: Final = 10.0  # seconds; below STOP_GRACE
_WAL_KEPT: Final = 16 << 20  # bytes; a larger WAL is truncated after a checkpoint of SQLite
#: Bytes. A file without `auto_vacuum` that holds less is rewritten when it is opened, which takes 0.3 s.
_REWRITTEN: Final = 32 << 20
_INCREMENTAL: Final = 2  # as `PRAGMA auto_vacuum` returns it

Connection = sqlite3.Connection
T = TypeVar("T")


class File:
    """One connection in one thread, and the locks on the file that it holds."""

    def __init__(self, path: Path, thread: ThreadPoolExecutor, connection: sqlite3.Connection) -> None:
        self.path = path
        self._thread = thread
        self._connection = connection
        self._identity = paths.identity(path)
        self._locks: dict[str, int] = {}

    @classmethod
    async def open(cls, path: Path) -> File:
        thread = ThreadPoolExecutor(1, thread_name_prefix="sqlite")
        try:
            connection = await asyncio.get_running_loop().run_in_executor(thread, _connect, path)
        except BaseException:
            thread.shutdown(wait=False)
            raise
        return cls(path, thread, connection)

    async def current(self) -> File:
        """Returns the file that the path leads to now: this one, or one that has taken its place; then this one is closed.

        For what looks again and again: a removed file would be read as it was, for ever. Raises `TransportUnusable`.
        """
        found = paths.identity(self.path)
        if found is None:
            raise TransportUnusable(f"the log file {self.path} is not there any more")
        if found == self._identity:
            return self
        following = await File.open(self.path)
        await self.close()
        return following

    async def run(self, work: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._run, work, arguments)

    async def write(self, work: Callable[..., T], *arguments: object) -> T:
        """As `run`, for what is to be stored. Raises `PublishFailed`."""
        try:
            return await self.run(work, *arguments)
        except TransportUnusable as error:
            raise PublishFailed(str(error)) from None

    def _run(self, work: Callable[..., T], arguments: tuple[object, ...]) -> T:
        with translated(self.path):
            return work(self._connection, *arguments)

    def lock(self, role: str) -> None:
        """Takes this role on the file, which one process can have, until `close`. Raises `TransportUnusable`."""
        if role not in self._locks:
            with translated(self.path):
                self._locks[role] = paths.lock(self.path, role)

    async def close(self) -> None:
        with suppress(TransportUnusable, RuntimeError):  # RuntimeError: closed before
            await self.run(sqlite3.Connection.close)
        self._thread.shutdown(wait=False)
        for handle in self._locks.values():
            os.close(handle)
        self._locks.clear()


def _connect(path: Path) -> sqlite3.Connection:
    with translated(path):
        paths.create(path)
        paths.check(path)
        connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
        try:
            with transaction(connection, "DEFERRED"):
                _version(connection, path)  # before the first write: the file may be another program's
            connection.execute("PRAGMA auto_vacuum=INCREMENTAL")  # takes effect in a new file, and at the next VACUUM
            _use_wal(connection)
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute(f"PRAGMA journal_size_limit={_WAL_KEPT}")
            with transaction(connection):
                _migrate(connection, _version(connection, path))
            _rewrite_small(connection)
        except BaseException:
            connection.close()
            raise
    return connection


def _use_wal(connection: sqlite3.Connection) -> None:
    """Of two connections that do this at the same time one gets "busy" at once, whatever its timeout: so try again."""
    deadline = time.monotonic() + _BUSY_TIMEOUT
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def vacuums(connection: sqlite3.Connection) -> bool:
    """Returns whether the file can be shortened in steps."""
    (way,) = connection.execute("PRAGMA auto_vacuum").fetchone()
    return bool(way == _INCREMENTAL)


def _rewrite_small(connection: sqlite3.Connection) -> None:
    """Makes it possible to shorten a file of an older release. A large one stays as it is; SQLite reuses its free pages."""
    if vacuums(connection):
        return
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    if (pages - free) * size <= _REWRITTEN:
        with suppress(sqlite3.OperationalError):  # busy or full: nothing is lost, and the next start tries again
            connection.execute("VACUUM")


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """Returns the schema version of our file, 0 for an empty one. Raises `TransportUnusable` for any other file."""
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
    # Also without a migration: on a read-only file this is the first statement that fails, BEGIN IMMEDIATE does not.
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version={len(MIGRATIONS)}")


@contextmanager
def transaction(connection: sqlite3.Connection, kind: str = "IMMEDIATE") -> Iterator[None]:
    connection.execute(f"BEGIN {kind}")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # a full disk has rolled back before
            connection.execute("ROLLBACK")
        raise


_LEAST_ROOM: Final = 65_536  # bytes; what readers share beside the file takes half of them

_ADVICE: Final = {
    "SQLITE_NOTADB": "is not an SQLite file: name another with SQLITE_PATH",
    "SQLITE_CANTOPEN": "cannot be opened: look at its rights and its folder, which has to be writable, or set SQLITE_PATH",
    "SQLITE_READONLY": "or its folder is read-only: change the rights, or name another with SQLITE_PATH",
    "SQLITE_FULL": "is on a full disk: make room",
    "SQLITE_BUSY": "is held by another program for more than 10 s: look who has it open",
    "SQLITE_CORRUPT": "is damaged: restore it from a backup, or name another with SQLITE_PATH",
    "SQLITE_IOERR": "cannot be read or written: the disk or the file system reports an error",
}


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Raises `TransportUnusable` for errors of SQLite and of the file system."""
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "")
        if name.startswith("SQLITE_CANTOPEN") and are_short():
            raise TransportUnusable(f"the log file {path} cannot be opened, no file descriptor is left: {REMEDY}") from None
        if name.startswith("SQLITE_IOERR") and _is_full(path):  # also readers make a file beside it
            name = "SQLITE_FULL"
        advice = next((text for code, text in _ADVICE.items() if name.startswith(code)), f"failed: {error}")
        raise TransportUnusable(f"the log file {path} {advice}") from None
    except OSError as error:
        advice = f": {REMEDY}" if is_shortage(error) else ""
        raise TransportUnusable(f"the log file {path} cannot be used: {error.strerror or error}{advice}") from None


def _is_full(path: Path) -> bool:
    with suppress(OSError):
        return shutil.disk_usage(path.parent).free < _LEAST_ROOM
    return False
