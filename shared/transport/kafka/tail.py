"""What the topic of events holds beyond the checkpoint: the records of a page that was cut short before its checkpoint."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from kafka import KafkaConsumer
from kafka.structs import TopicPartition

from shared.errors import TransportUnusable
from shared.log import get_logger
from shared.transport.kafka.reader import Extent, extents, probe, read

#: Without a checkpoint the topic may hold the first page, cut short (Auth0's pages have 100 entries at most); more than this is
#: a topic whose checkpoint was lost.
_FIRST_PAGE: Final = 1000

log = get_logger(__name__)


@dataclass(slots=True)
class Tail:
    """Grows with each page; what a page brought again is forgotten once the checkpoint has passed it."""

    #: Where each partition ends.
    ends: dict[int, int]
    #: Log ids that are in the topic but not covered by the checkpoint, with their partition and offset.
    present: dict[str, tuple[int, int]]

    def acknowledged(self, records: Iterable[tuple[int, int]]) -> None:
        """`records`: partition and offset of each one that was published."""
        for partition, offset in records:
            self.ends[partition] = max(self.ends.get(partition, 0), offset + 1)

    def floors(self, passed: Iterable[str]) -> dict[int, int]:
        """For the next checkpoint, which passes these log ids: from where the tail has to be read after it."""
        passed = set(passed)
        floors = dict(self.ends)
        for log_id, (partition, offset) in self.present.items():
            if log_id not in passed:
                floors[partition] = min(floors[partition], offset)
        return floors

    def passed(self, log_ids: Iterable[str]) -> None:
        for log_id in log_ids:
            self.present.pop(log_id, None)


def read_tail(consumer: KafkaConsumer, topic: str, since: Mapping[int, int] | None) -> Tail:
    """`since`: the checkpoint's ends (None: there is no checkpoint; empty: it does not say, so nothing is compared).

    Raises `KafkaError`, and `TransportUnusable` for a full topic without a checkpoint.
    """
    now = extents(consumer, topic)
    _refuse_lost_checkpoint(topic, now, since)
    probe(consumer, TopicPartition(topic, 0), now[0].end)
    tail = Tail({partition: extent.end for partition, extent in now.items()}, {})
    if since is None or since:
        for partition, extent in now.items():
            begin = _begin(topic, partition, extent, since or {})
            tail.present.update(log_ids(consumer, TopicPartition(topic, partition), begin, extent.end))
    if tail.present:
        log.info("the topic goes beyond the checkpoint: what is there already is not published again", events=len(tail.present))
    return tail


def _refuse_lost_checkpoint(topic: str, now: Mapping[int, Extent], since: Mapping[int, int] | None) -> None:
    records = sum(extent.end - extent.begin for extent in now.values())
    if since is None and records > _FIRST_PAGE:
        raise TransportUnusable(
            f"{topic} holds about {records} records but {topic}.checkpoint is empty: Auth0's whole log would be sent again. "
            "`auth0-webhooks checkpoint set --from-topic` takes the checkpoint from the newest record"
        )


def _begin(topic: str, partition: int, extent: Extent, since: Mapping[int, int]) -> int:
    recorded = since.get(partition, extent.begin)
    if recorded > extent.end:
        log.warning(
            "the checkpoint has seen more of this partition than there is: was the topic made anew?",
            topic=topic,
            partition=partition,
            recorded=recorded,
            end=extent.end,
        )
        return extent.begin
    return max(recorded, extent.begin)


def log_ids(consumer: KafkaConsumer, partition: TopicPartition, begin: int, end: int) -> Iterator[tuple[str, tuple[int, int]]]:
    """Of the records of [begin, end): the log id, and partition and offset. Raises `KafkaError`."""
    for record in read(consumer, partition, begin, end):
        log_id = dict(record.headers).get("log-id")
        if log_id:
            yield log_id.decode("ascii", "backslashreplace"), (partition.partition, record.offset)
