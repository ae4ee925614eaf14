"""A checkpoint made anew: from the records in the topic of events, for a cluster that has lost it, or reset to the oldest entry
that Auth0 still has, for a tenant that does not know the stored one any more.

The first lies a page behind the newest record, since a page that was cut short may lack records before those that are there.
What is there is not published again: the checkpoint also says from which offsets on the next poller has to compare. After a reset
that is only what comes later: to compare the whole topic, a takeover would read millions of records under a lease of a minute.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Final

from kafka.structs import TopicPartition

from shared.documents import checkpoint as documents
from shared.errors import TransportUnusable
from shared.settings import TransportSettings
from shared.transport.kafka.client.clients import administrator
from shared.transport.kafka.client.errors import Access, translated
from shared.transport.kafka.publish.recovery import Recovery, log_ids
from shared.transport.kafka.topics.checkpoints import KEY
from shared.transport.kafka.topics.groups import members, patiently
from shared.transport.kafka.topics.producer import RecordProducer
from shared.transport.kafka.topics.reader import Extent, extents, reading
from shared.transport.kafka.topics.topics import verify
from shared.transport.port import OLDEST, Checkpoint, Repeats

#: Entries of Auth0's largest page.
PAGE: Final = 100

Place = tuple[int, int]  # partition, offset


def derive(settings: TransportSettings) -> tuple[Checkpoint, dict[int, int]]:
    """The checkpoint, and its end offset of each partition. Reads the whole topic once.

    Raises `TransportUnusable`, also when there is too little in the topic to tell; then no checkpoint is needed.
    """
    topic = settings.topic
    verify(settings, (topic, settings.checkpoint_topic))
    with reading(settings, topic, "reading the topic") as consumer:
        now = extents(consumer, topic)
        found = (log_ids(consumer, TopicPartition(topic, number), extent.begin, extent.end) for number, extent in now.items())
        newest = newest_of(chain.from_iterable(found), PAGE + 1)
    if len(newest) <= PAGE:
        raise TransportUnusable(
            f"{topic} holds {len(newest)} different events, no more than one page of Auth0's log: no checkpoint is needed; "
            "a poller starts without one, and does not publish again what is there. Nothing was done"
        )
    oldest = min(newest)
    del newest[oldest]
    return Checkpoint(log_id=oldest), Recovery({number: extent.end for number, extent in now.items()}, newest).resume_offsets()


def store(settings: TransportSettings, checkpoint: Checkpoint, ends: dict[int, int]) -> None:
    """For the next poller that takes over. One that leads already goes on from its own. Raises `PublishFailed`."""
    producer = RecordProducer(settings)
    try:
        producer.write(settings.checkpoint_topic, KEY, documents.dump(checkpoint, ends))
    finally:
        producer.close()


def repeats(settings: TransportSettings) -> Repeats:
    """What may be published again after a `reset` now: what lies below the recorded ends is not compared.

    Raises `TransportUnusable`, also while a poller is active.
    """
    _refuse_active(settings)
    now = _extents(settings).values()
    return Repeats(held=sum(extent.end - extent.begin for extent in now), removed=sum(extent.begin for extent in now))


def reset(settings: TransportSettings) -> None:
    """For the next poller. Raises `TransportUnusable`, also while a poller is active, and `PublishFailed`."""
    ends = {number: extent.end for number, extent in _extents(settings).items()}
    _refuse_active(settings)
    store(settings, OLDEST, ends)


def _extents(settings: TransportSettings) -> dict[int, Extent]:
    with reading(settings, settings.topic, "asking how far the topic goes") as consumer:
        return extents(consumer, settings.topic)


def _refuse_active(settings: TransportSettings) -> None:
    """An active poller would go on from the place that it remembers, and store it over the new one."""
    group = settings.poller_group

    def ask() -> int:
        with administrator(settings) as admin:
            return members(admin, group)

    with translated(settings, "asking for the poller", Access("DESCRIBE", f"group {group}")):
        count = patiently(ask)
    if count:
        raise TransportUnusable(
            f"a poller is active: the group {group} has {count} member{'s' * (count > 1)}. Stop every `produce` and `run` first; "
            f"one that was killed counts for KAFKA_SESSION_TIMEOUT more. Nothing was changed"
        )


def newest_of(found: Iterable[tuple[str, Place]], count: int) -> dict[str, Place]:
    """The `count` largest log ids, each where it was found first: later copies are dead letters that were sent again."""
    newest: dict[str, Place] = {}
    for log_id, place in found:
        newest.setdefault(log_id, place)
        if len(newest) > 10 * count:
            newest = _largest(newest, count)
    return _largest(newest, count)


def _largest(newest: dict[str, Place], count: int) -> dict[str, Place]:
    return {log_id: newest[log_id] for log_id in sorted(newest)[-count:]}
