from __future__ import annotations

import json
from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from consumer.partitions.partition import Delivery, Partition
from consumer.scheduling.batch import Batching, heads_of
from consumer.scheduling.ready_queue import ReadyQueue
from shared.record import Record
from shared.transport.port import Position
from shared.words import BatchForm

sizes = st.lists(st.integers(0, 300), min_size=1, max_size=60)
PARTITION = Partition(0, Position(0))


def _delivery(number: int, size: int, *, key: int | None = None, partition: Partition = PARTITION) -> Delivery:
    record = Record(number, b"k", b'{"x":"' + b"y" * size + b'"}', [], 0.0)
    return Delivery(partition, record, f"id-{number}", number if key is None else key)


def _ready(sizes: list[int]) -> deque[Delivery]:
    return deque(_delivery(number, size) for number, size in enumerate(sizes))


@given(sizes, st.integers(1, 20), st.integers(1, 2000), st.sampled_from(BatchForm))
def test_batches_keep_order_and_limits_and_lose_nothing(sizes: list[int], most: int, most_bytes: int, form: BatchForm) -> None:
    ready, expected = _ready(sizes), list(_ready(sizes))
    batching = Batching(form=form, most=most, most_bytes=most_bytes, linger=1.0)
    sent: list[Delivery] = []
    while ready:
        batch = batching.take(ready)
        assert 1 <= len(batch.parts) <= most
        assert len(batch.body) <= most_bytes + 2 or len(batch.parts) == 1
        assert batch.log_id == f"{batch.parts[0].log_id}+{len(batch.parts)}"
        entries = json.loads(batch.body) if form is BatchForm.ARRAY else [json.loads(line) for line in batch.body.splitlines()]
        assert entries == [json.loads(part.body) for part in batch.parts]
        sent += batch.parts
    assert [part.log_id for part in sent] == [part.log_id for part in expected]


def test_in_json_lines_an_entry_keeps_to_its_line() -> None:
    entry = Delivery(PARTITION, Record(0, b"k", b'{"a":\r\n 1}', [], 0.0), "id", 0)
    batch = Batching(form=BatchForm.LINES, most=5, most_bytes=1000, linger=0).take(deque([entry]))
    assert batch.body == b'{"a":   1}\n'


def test_an_event_that_goes_alone_is_not_gathered() -> None:
    ready = _ready([1, 1, 1])
    ready[1].alone = True
    assert len(Batching(form=BatchForm.ARRAY, most=5, most_bytes=1000, linger=0).take(ready).parts) == 1


@given(st.lists(st.integers(0, 3), min_size=1, max_size=40), st.integers(1, 10), st.data())
def test_events_of_one_key_travel_together_in_their_order(keys: list[int], most: int, data: st.DataObject) -> None:
    """A batch is delivered, or taken apart and sent one by one: the order of each key is the same."""
    partition = Partition(0, Position(0))
    batching = Batching(form=BatchForm.ARRAY, most=most, most_bytes=10_000, linger=0)
    ready: deque[Delivery] = deque()
    for number, key in enumerate(keys):
        delivery = _delivery(number, 5, key=key, partition=partition)
        if partition.key_queues.enter(key, delivery):
            ready.append(delivery)
    done: dict[int, list[str]] = {key: [] for key in keys}

    def finish(part: Delivery) -> None:
        done[keys[part.record.offset]].append(part.log_id)
        if following := partition.key_queues.leave(part.queue_key):
            ready.append(following)

    while ready:
        batch = batching.take(ready)
        if data.draw(st.booleans()):
            for part in batch.parts:
                finish(part)
            continue
        for head in heads_of(batch.parts):
            finish(head)
    assert done == {key: [f"id-{n}" for n, of in enumerate(keys) if of == key] for key in done}


def _queue() -> ReadyQueue:
    return ReadyQueue(Batching(form=BatchForm.ARRAY, most=10, most_bytes=1000, linger=2.0), lambda: None, limited=False)


def test_each_batch_waits_anew_for_others() -> None:
    queue = _queue()
    for now in (0.0, 100.0):
        queue.add(_delivery(int(now), 1))
        assert queue.next(now) == (None, 2.0)
        assert queue.next(now + 1.5) == (None, 0.5)
        batch, _ = queue.next(now + 2.0)
        assert batch


def test_an_event_does_not_inherit_the_wait_of_one_that_was_set_aside() -> None:
    queue = _queue()
    queue.add(first := _delivery(0, 1))
    assert queue.next(0.0) == (None, 2.0)
    queue.remove(first)
    assert queue.next(1.0) == (None, 0.0)
    queue.add(_delivery(1, 1))
    assert queue.next(100.0) == (None, 2.0)
