"""The embedded log: one SQLite file, one partition, one poller and one consumer, in one process or in two."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

from shared.transport.port import (
    Checkpoint,
    Consumers,
    DeadLetter,
    Member,
    Progress,
    Publisher,
    Reader,
    RebalanceListener,
    Repeats,
    Table,
    Transport,
)
from shared.transport.sqlite.file import File
from shared.transport.sqlite.member import SqliteMember
from shared.transport.sqlite.paths import resolved
from shared.transport.sqlite.progress import PARTITION, checkpoint, progress, repeats
from shared.transport.sqlite.publisher import SqlitePublisher, store_checkpoint
from shared.transport.sqlite.reader import SqliteReader
from shared.transport.sqlite.tables import CONTROL, DEAD_LETTERS, SqliteTable, retry_dead_letter


class SqliteTransport(Transport):
    """The log in the file `path`, which is created if it is missing.

    `retention_days`: delivered records are removed after that time; undelivered ones stay, however old.
    `concurrent_calls`: the whole limit is the one member's share.
    """

    metadata_limit = None

    def __init__(self, path: Path, *, retention_days: float, concurrent_calls: int = 1) -> None:
        self._path = resolved(path)
        self._retention = retention_days * 86_400
        self._concurrent_calls = concurrent_calls
        #: For everything but publisher, member and tables, which have their own. Opened when it is first needed.
        self._file: File | None = None
        self._opening = asyncio.Lock()

    async def publisher(self) -> Publisher:
        return SqlitePublisher(await File.open(self._path))

    async def member(self, listener: RebalanceListener) -> Member:
        file = await File.open(self._path)
        try:
            return await SqliteMember.join(file, listener, self._concurrent_calls, self._retention)
        except BaseException:
            await file.close()
            raise

    async def dead_letters(self) -> Table:
        return SqliteTable(await File.open(self._path), DEAD_LETTERS)

    async def retry_dead_letter(self, dead_letter: DeadLetter) -> bool:
        return await (await self._opened()).write(retry_dead_letter, dead_letter)

    async def control(self) -> Table:
        return SqliteTable(await File.open(self._path), CONTROL)

    async def progress(self) -> Mapping[int, Progress]:
        return {PARTITION: await (await self._opened()).run(progress)}

    async def reader(self) -> Reader:
        return SqliteReader(await File.open(self._path))

    async def checkpoint(self) -> Checkpoint | None:
        return await (await self._opened()).run(checkpoint, self._path)

    async def consumers(self) -> Consumers:
        return Consumers(group="", members=None)

    async def retention(self) -> float | None:
        return None  # undelivered events stay

    async def set_checkpoint(self, checkpoint: Checkpoint, confirm: Callable[[Repeats], bool], *, force: bool = False) -> bool:
        file = await File.open(self._path)
        try:
            if not force:
                file.lock("poller")  # held while a person is asked
            if not confirm(await file.run(repeats)):
                return False
            await file.write(store_checkpoint, checkpoint)
            return True
        finally:
            await file.close()

    async def close(self) -> None:
        if self._file is not None:
            await self._file.close()

    async def _opened(self) -> File:
        async with self._opening:
            if self._file is None:
                self._file = await File.open(self._path)
            self._file = await self._file.current()
            return self._file
