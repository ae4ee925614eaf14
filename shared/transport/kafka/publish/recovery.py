"""What the topic of events holds beyond the checkpoint: the records of a page that was cut short before its checkpoint."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from kafka import KafkaConsumer
from kafka.structs import TopicPartition

from shared.errors import TransportUnusable
from shared.logging import get_logger
from shared.transport.kafka.client import internals
from shared.transport.kafka.topics.checkpoints import StoredCheckpoint, resume_offsets
from shared.transport.kafka.topics.reader import BOUND, Extent, Place, Unreachable, extents, log_ids, probe

#: Without a checkpoint the topic may hold the first page, cut short (Auth0's pages have 100 entries at most); more than this is
#: a topic whose checkpoint was lost.
_FIRST_PAGE: Final = 1000

log = get_logger(__name__)


@dataclass(slots=True)
class Recovery:
    """What a poller does not publish again.

    Grows with each page; what a page brought again, or cannot come any more, is forgotten.
    """

    #: Where each partition ends.
    ends: dict[int, int]
    #: Log ids that are in the topic beyond what the checkpoint covers, with their partition and offset.
    present: dict[str, Place]
    #: The log id of the newest checkpoint; empty: there is none yet.
    checkpoint: str = ""

    def acknowledged(self, records: Iterable[Place]) -> None:
        """`records`: partition and offset of each one that was published."""
        for partition, offset in records:
            self.ends[partition] = max(self.ends.get(partition, 0), offset + 1)

    def advance(self, log_ids: Iterable[str], checkpoint: str) -> None:
        """The next checkpoint names the log id `checkpoint`; the page before it brought `log_ids`.

        What lies at or below both checkpoints is forgotten too: Auth0 gives its log in the order of ids, compared as text, so
        none of it comes again. A retried dead letter is such a record: if it stayed, its resume offset would never move.
        Not "at or below the new one": a page out of order may be cut otherwise this time, with the rest of it still to come.
        """
        for log_id in log_ids:
            self.present.pop(log_id, None)
        behind = min(self.checkpoint, checkpoint)
        self.present = {log_id: place for log_id, place in self.present.items() if log_id > behind}
        self.checkpoint = checkpoint

    def resume_offsets(self) -> dict[int, int]:
        """Returns from where each partition has to be read after the checkpoint."""
        return resume_offsets(self.ends, self.present.values())


def recover(consumer: KafkaConsumer, topic: str, stored: StoredCheckpoint | None) -> Recovery:
    """Reads the topic beyond `stored`, the newest checkpoint.

    Raises `KafkaError`, `Unreachable` while records are out of sight, `TransportUnusable` for a full topic without a checkpoint.
    """
    now = _all_in_sight(consumer, topic)
    _refuse_lost_checkpoint(topic, now, stored)
    probe(consumer, TopicPartition(topic, 0), now[0].end)
    ends = {partition: extent.end for partition, extent in now.items()}
    recovery = Recovery(ends, {}, stored.checkpoint.log_id if stored else "")
    for partition, begin in begins(topic, now, stored.ends if stored else None).items():
        recovery.present.update(log_ids(consumer, TopicPartition(topic, partition), begin, now[partition].end))
    if recovery.present:
        count = len(recovery.present)
        log.info("the topic goes beyond the checkpoint: what is there already is not published again", events=count)
    return recovery


def _all_in_sight(consumer: KafkaConsumer, topic: str) -> Mapping[int, Extent]:
    """Returns the extents, once they hold all that was written before: what is not on enough replicas comes into sight later.

    A page that failed for want of replicas would be published again beside itself.
    """
    internals.partitions(consumer, topic, BOUND)
    written = internals.log_ends(consumer, topic, BOUND)
    now = extents(consumer, topic)
    hidden = sum(max(0, end - now[partition].end) for partition, end in written.items() if partition in now)
    if hidden:
        raise Unreachable(
            f"{hidden} records of {topic} are not on enough replicas yet, so they cannot be compared: look at the cluster's "
            "replicas and at min.insync.replicas"
        )
    return now


def _refuse_lost_checkpoint(topic: str, now: Mapping[int, Extent], stored: StoredCheckpoint | None) -> None:
    records = sum(extent.end - extent.begin for extent in now.values())
    if stored is None and records > _FIRST_PAGE:
        raise TransportUnusable(
            f"{topic} holds about {records} records but {topic}.checkpoint is empty: Auth0's whole log would be sent again. "
            "`auth0-webhooks checkpoint set --from-topic` takes the checkpoint from the newest record"
        )


def begins(topic: str, now: Mapping[int, Extent], since: Mapping[int, int] | None) -> dict[int, int]:
    """Returns from where each partition is compared. `since`: the checkpoint's resume offsets.

    None: there is no checkpoint. Empty: it does not say, so nothing is compared.
    """
    if since is not None and not since:
        return {}
    return {partition: _begin(topic, partition, extent, since or {}) for partition, extent in now.items()}


def _begin(topic: str, partition: int, extent: Extent, since: Mapping[int, int]) -> int:
    recorded = since.get(partition, extent.begin)
    if recorded > extent.end:
        log.warning(
            "the checkpoint has seen more of this partition than there is: was the topic created again?",
            topic=topic,
            partition=partition,
            recorded=recorded,
            end=extent.end,
        )
        return extent.begin
    return max(recorded, extent.begin)
