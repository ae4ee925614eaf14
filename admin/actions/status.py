"""How far the log is delivered, partition by partition."""

from __future__ import annotations

from dataclasses import dataclass

from consumer.ledger import Ledger
from shared.transport.port import Progress, Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionStatus:
    partition: int
    #: The oldest offset still there, and the one that the next record gets.
    begin: int
    end: int
    #: The committed offset; None: nothing was ever committed.
    committed: int | None
    #: Records from the committed offset on.
    lag: int
    #: Of these, how many are done while an earlier one is not.
    done_beyond: int

    @property
    def undelivered(self) -> int:
        return self.lag - self.done_beyond


async def status(transport: Transport) -> list[PartitionStatus]:
    """Every partition, by number. Raises `TransportUnusable`."""
    return [_row(partition, progress) for partition, progress in sorted((await transport.progress()).items())]


def _row(partition: int, progress: Progress) -> PartitionStatus:
    committed = progress.committed
    return PartitionStatus(
        partition=partition,
        begin=progress.begin,
        end=progress.end,
        committed=committed.offset if committed else None,
        lag=progress.lag,
        done_beyond=Ledger(committed).beyond if committed else 0,
    )
