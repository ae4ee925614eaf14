"""Checkpoints in their compacted topic of one partition: read, derived from the topic of events, and moved.

A checkpoint is derived for a cluster that has lost it, and moved by an operator, for example to the oldest entry that Auth0 still
has for a tenant that does not know the stored one any more. One that is derived is a page behind the newest record, since an
interrupted page may lack records before those that are there. A poller does not publish again what is there: the checkpoint also
says from which offsets on it has to compare. After a move it compares only what comes later: for the whole topic a poller would
read millions of records under a lease of a minute.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from kafka import KafkaConsumer
from kafka.structs import TopicPartition

from shared.documents import checkpoint as documents
from shared.errors import TransportUnusable
from shared.settings import TransportSettings
from shared.transport.kafka.client.clients import administrator
from shared.transport.kafka.client.errors import Access, translated
from shared.transport.kafka.topics.producer import RecordProducer
from shared.transport.kafka.topics.progress import members, patiently
from shared.transport.kafka.topics.reader import Extent, Place, extents, log_ids, probe, read, reading
from shared.transport.kafka.topics.topics import verify
from shared.transport.port import Checkpoint, Repeats

PARTITION: Final = 0
#: Of every document: compaction keeps the newest record of a key, and the brokers refuse a record without one.
KEY: Final = b"checkpoint"
#: Entries of Auth0's largest page.
PAGE: Final = 100


@dataclass(frozen=True, slots=True)
class StoredCheckpoint:
    checkpoint: Checkpoint
    #: From where a poller compares each partition of the topic of events; empty where that was not recorded.
    ends: Mapping[int, int]
    #: Its own offset.
    offset: int


def newest(consumer: KafkaConsumer, topic: str) -> StoredCheckpoint | None:
    """Returns None if nothing was ever stored, or it was deleted.

    Raises `KafkaError`, and `TransportUnusable` for a document that is not ours.
    """
    record = _newest_record(consumer, topic)
    if record is None or record.value is None:
        return None
    checkpoint, ends = documents.parse(record.value, where=f"{topic}-{PARTITION}@{record.offset}")
    return StoredCheckpoint(checkpoint, ends, record.offset)


def _newest_record(consumer: KafkaConsumer, topic: str) -> Any:
    extent = extents(consumer, topic)[PARTITION]
    partition = TopicPartition(topic, PARTITION)
    # Nearly always it is at the last offset; if that is a hole, read the whole topic, which is small.
    for begin in (max(extent.begin, extent.end - 1), extent.begin):
        records = list(read(consumer, partition, begin, extent.end))
        if records:
            return records[-1]
    probe(consumer, partition, extent.end)  # nothing was read yet, so the right to read was not checked
    return None


def show(settings: TransportSettings) -> Checkpoint | None:
    """Returns the newest one. Raises `TransportUnusable`."""
    topic = settings.checkpoint_topic
    verify(settings, (topic,))
    with reading(settings, topic, "reading the checkpoint") as consumer:
        stored = newest(consumer, topic)
    return stored.checkpoint if stored else None


def store(settings: TransportSettings, checkpoint: Checkpoint, ends: dict[int, int]) -> None:
    """Stores it for the next poller that takes over; an active one goes on from its own. Raises `PublishFailed`."""
    producer = RecordProducer(settings)
    try:
        producer.write(settings.checkpoint_topic, KEY, documents.dump(checkpoint, ends))
    finally:
        producer.close()


def derive(settings: TransportSettings) -> tuple[Checkpoint, dict[int, int]]:
    """Reads the whole topic of events once. Returns the checkpoint, and from where each partition has to be compared.

    Raises `TransportUnusable`, also when there is too little in the topic to tell; then no checkpoint is needed.
    """
    topic = settings.topic
    verify(settings, (topic, settings.checkpoint_topic))
    with reading(settings, topic, "reading the topic") as consumer:
        now = extents(consumer, topic)
        found = (log_ids(consumer, TopicPartition(topic, number), extent.begin, extent.end) for number, extent in now.items())
        latest = latest_of(chain.from_iterable(found), PAGE + 1)
    if len(latest) <= PAGE:
        raise TransportUnusable(
            f"{topic} holds {len(latest)} different events, no more than one page of Auth0's log: no checkpoint is needed; "
            "a poller starts without one, and does not publish again what is there. Nothing was done"
        )
    oldest = min(latest)
    del latest[oldest]
    return Checkpoint(log_id=oldest), resume_offsets(_ends(now), latest.values())


def repeats(settings: TransportSettings, force: bool) -> Repeats:
    """Returns what may be published again after a `move` now: a poller does not compare what is below the recorded ends.

    Raises `TransportUnusable`, without `force` also while a poller is active.
    """
    if not force:
        _refuse_active_poller(settings)
    now = _extents(settings).values()
    return Repeats(held=sum(extent.end - extent.begin for extent in now), removed=sum(extent.begin for extent in now))


def move(settings: TransportSettings, checkpoint: Checkpoint, force: bool) -> None:
    """Raises `PublishFailed` and `TransportUnusable`, without `force` also while a poller is active, or becomes it meanwhile."""
    ends = _ends(_extents(settings))
    if not force:
        _refuse_active_poller(settings)
    store(settings, checkpoint, ends)
    if not force and _pollers(settings):
        raise TransportUnusable(
            "a poller has started while the checkpoint was stored, and may go on from where it was before: stop it, look at "
            "`auth0-webhooks checkpoint show`, and set the checkpoint again"
        )


def _extents(settings: TransportSettings) -> dict[int, Extent]:
    with reading(settings, settings.topic, "asking how far the topic goes") as consumer:
        return extents(consumer, settings.topic)


def _ends(now: Mapping[int, Extent]) -> dict[int, int]:
    return {number: extent.end for number, extent in now.items()}


def _refuse_active_poller(settings: TransportSettings) -> None:
    """An active poller would go on from its own place, and store it over the new one."""
    count = _pollers(settings)
    if count:
        raise TransportUnusable(
            f"a poller is active: the group {settings.poller_group} has {count} member{'s' * (count > 1)}. Stop every `produce` "
            "and `run` first; one that was killed counts for KAFKA_SESSION_TIMEOUT more. Nothing was changed"
        )


def _pollers(settings: TransportSettings) -> int:
    """Returns how many are active or stand by."""

    def ask() -> int:
        with administrator(settings) as admin:
            return members(admin, settings.poller_group)

    with translated(settings, "asking for the poller", Access("DESCRIBE", f"group {settings.poller_group}")):
        return patiently(ask)


def resume_offsets(ends: Mapping[int, int], present: Iterable[Place]) -> dict[int, int]:
    """Returns from where a poller compares each partition: from its end, or from the first of `present` in it."""
    offsets = dict(ends)
    for partition, offset in present:
        offsets[partition] = min(offsets[partition], offset)
    return offsets


def latest_of(found: Iterable[tuple[str, Place]], count: int) -> dict[str, Place]:
    """Returns the `count` largest log ids, each with its first place: later copies are retried dead letters."""
    latest: dict[str, Place] = {}
    for log_id, place in found:
        latest.setdefault(log_id, place)
        if len(latest) > 10 * count:
            latest = _largest(latest, count)
    return _largest(latest, count)


def _largest(latest: dict[str, Place], count: int) -> dict[str, Place]:
    return {log_id: latest[log_id] for log_id in sorted(latest)[-count:]}
