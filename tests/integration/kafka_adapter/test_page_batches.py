"""A page in batches of our own against the library's `send`, on a real broker: the same records, and each acknowledged."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from kafka.errors import IllegalStateError, MessageSizeTooLargeError
from kafka.producer.record_accumulator import RecordAccumulator
from kafka.structs import TopicPartition

from shared.event import Event
from shared.record import MAX_RECORD
from shared.settings import TransportSettings
from shared.transport.kafka.client.internals import enqueue
from shared.transport.kafka.publish import page_batches
from shared.transport.kafka.publish.page_producer import PageProducer
from shared.transport.kafka.topics.reader import extents, read, reader
from tests.contract.harness import event, events
from tests.integration.kafka_adapter.pages import ids, in_topic, once
from tests.integration.kafka_adapter.test_sizes import BOUND, small

__all__ = ["small"]

Found = list[tuple[bytes, bytes, list[tuple[str, bytes]]]]


@pytest.fixture
def producer(settings: TransportSettings) -> Iterator[PageProducer]:
    producer = PageProducer(settings)
    yield producer
    producer.discard()


def _records(settings: TransportSettings) -> dict[int, Found]:
    """By partition, in order."""
    with reader(settings) as consumer:
        return {
            number: [
                (record.key, record.value, list(record.headers))
                for record in read(consumer, TopicPartition(settings.topic, number), extent.begin, extent.end)
            ]
            for number, extent in extents(consumer, settings.topic).items()
        }


def _noise(number: int, size: int) -> Event:
    """Compression does not make it smaller by much."""
    return event(number, user="auth0|1", extra=f', "noise": "{random.Random(number).randbytes(size // 2).hex()}"')


def test_records_keys_headers_partitions_and_their_order_are_those_of_the_library(
    settings: TransportSettings, producer: PageProducer, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = [*events(0, 60), event(60), event(61, user="gr\\u00fcn \\ud83d"), event(62, extra=', "pii": "é"'), _noise(63, 4000)]
    ours = producer.send(settings.topic, page)
    first = _records(settings)
    monkeypatch.setattr(page_batches, "VERSION", "another one")
    theirs = producer.send(settings.topic, page)
    assert {number: found[: len(found) // 2] for number, found in _records(settings).items()} == first
    assert {number: found[len(found) // 2 :] for number, found in _records(settings).items()} == first
    # What is acknowledged is where the records are.
    assert sorted(ours) == [(number, offset) for number, found in sorted(first.items()) for offset in range(len(found))]
    assert sorted(theirs) == [(number, len(first[number]) + offset) for number, offset in sorted(ours)]


def test_a_page_that_fills_several_batches_of_a_partition_keeps_its_order(
    settings: TransportSettings, producer: PageProducer
) -> None:
    page = [_noise(number, 60_000) for number in range(20)]
    places = producer.send(settings.topic, page)
    ((partition, found),) = [(number, found) for number, found in _records(settings).items() if found]
    assert places == [(partition, offset) for offset in range(20)]
    assert [value for _, value, _ in found] == [one.raw for one in page]


def test_a_batch_that_the_brokers_find_too_large_is_split_and_each_of_its_records_acknowledged(
    small: TransportSettings, producer: PageProducer, monkeypatch: pytest.MonkeyPatch
) -> None:
    split = RecordAccumulator.split_and_reenqueue
    splits: list[int] = []
    monkeypatch.setattr(RecordAccumulator, "split_and_reenqueue", lambda *given: splits.append(split(*given)))
    places = producer.send(small.topic, [_noise(number, BOUND // 4) for number in range(30)])
    assert splits
    assert sorted({offset for _, offset in places}) == list(range(30))
    assert in_topic(small) == once(ids(0, 30))


def test_a_record_above_the_bound_of_all_is_refused_before_any_of_its_page_is_sent(
    settings: TransportSettings, producer: PageProducer
) -> None:
    with pytest.raises(MessageSizeTooLargeError):
        producer.send(settings.topic, [*events(0, 5), _noise(5, MAX_RECORD)])
    assert not in_topic(settings)
    assert len(producer.send(settings.topic, events(0, 5))) == 5


def test_nothing_is_queued_in_a_producer_that_was_discarded(settings: TransportSettings, producer: PageProducer) -> None:
    library: Any = producer._producer
    producer.discard()
    with pytest.raises(IllegalStateError):
        enqueue(library, TopicPartition(settings.topic, 0), [(0, b"k", b"v", [])])
