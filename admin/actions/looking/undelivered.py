"""Finds an undelivered event by the beginning of its log id, beside the consumers."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from admin.actions.looking.log_ids import may_mean, resolve
from consumer.partitions.ledger import Ledger
from shared.transport.port import Position, Progress, Reader, Transport

#: Records of a partition that are looked at, from the committed offset on: more than consumers have in their windows.
_MOST: Final = 20_000


async def whole_id(transport: Transport, given: str) -> str:
    """Returns the log id that `given` is or begins; `given` itself if no undelivered event has such an id.

    Raises `ConfigurationError` if it begins several, and `TransportUnusable`.
    """
    reader, meant = await transport.reader(), set[str]()
    try:
        for partition, progress in (await transport.progress()).items():
            async with aclosing(_ids(reader, partition, progress)) as log_ids:
                async for log_id in log_ids:
                    if log_id == given:
                        return given
                    if may_mean(given, log_id):
                        meant.add(log_id)
    finally:
        await reader.close()
    return resolve(given, meant) or given


async def _ids(reader: Reader, partition: int, progress: Progress) -> AsyncGenerator[str, None]:
    begin = progress.end - progress.lag
    ledger = Ledger(progress.committed or Position(begin))
    async for stretch in reader.read(partition, range(begin, min(progress.end, begin + _MOST))):
        for record in stretch:
            if ledger.take(record.offset):
                yield dict(record.headers).get("log-id", b"").decode("ascii", "backslashreplace")
