"""How far each partition is delivered, and whether a consumer runs."""

from __future__ import annotations

from dataclasses import dataclass

from consumer.partitions.ledger import Ledger
from shared.transport.port import Consumers, Progress, Transport


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
    #: Of these, how many are completed while an earlier one is not.
    done_beyond: int

    @property
    def undelivered(self) -> int:
        return self.lag - self.done_beyond


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    partitions: list[PartitionStatus]
    consumers: Consumers

    @property
    def used(self) -> bool:
        """Whether a consumer ever worked on this log. If not, what is delivered is unknown: the group may be new or wrong."""
        return bool(self.consumers.members) or any(row.committed is not None for row in self.partitions)

    @property
    def undelivered(self) -> int:
        return sum(row.undelivered for row in self.partitions)

    @property
    def sentence(self) -> str:
        """Everything in one line for a person."""
        group, members = self.consumers.group, self.consumers.members
        if not self.used:
            joined = f"the group {group} (KAFKA_GROUP)" if group else "this log"
            other = ". Where consumers run, they use another group" if group and self.undelivered else ""
            return f"No consumer has joined {joined} yet; {_events(self.undelivered)} in the log{other}."
        left = f"{_events(self.undelivered)} not delivered yet" if self.undelivered else "everything is delivered"
        match members:
            case None:
                return f"{left[0].upper()}{left[1:]}."
            case 0:
                return f"No consumer is running: the group {group} has no member; {left}."
            case _:
                return f"{members} consumer{'s' * (members > 1)} in the group {group}; {left}."


async def overview(transport: Transport) -> Status:
    """Raises `TransportUnusable`."""
    return Status(partitions=await status(transport), consumers=await transport.consumers())


async def status(transport: Transport) -> list[PartitionStatus]:
    """Returns every partition, ordered by number. Raises `TransportUnusable`."""
    return [_row(partition, progress) for partition, progress in sorted((await transport.progress()).items())]


def _row(partition: int, progress: Progress) -> PartitionStatus:
    committed, known = progress.committed, 0
    if committed:
        ledger = Ledger(committed)
        ledger.forget_before(progress.begin)
        # Counted from where the lag begins: retention may have moved that beyond the committed offset.
        known = ledger.position + ledger.beyond - max(progress.begin, committed.offset)
    return PartitionStatus(
        partition=partition,
        begin=progress.begin,
        end=progress.end,
        committed=committed.offset if committed else None,
        lag=progress.lag,
        done_beyond=min(max(known, 0), progress.lag),
    )


def _events(count: int) -> str:
    match count:
        case 0:
            return "no event is"
        case 1:
            return "1 event is"
        case _:
            return f"{count} events are"
