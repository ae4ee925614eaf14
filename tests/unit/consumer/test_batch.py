from __future__ import annotations

import json
from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from consumer.assignment import Assignment
from consumer.batch import Batching, Form
from consumer.delivery import Delivery
from shared.record import Record
from shared.transport.port import Position

sizes = st.lists(st.integers(0, 300), min_size=1, max_size=60)
ASSIGNMENT = Assignment(0, Position(0))


def _delivery(number: int, size: int) -> Delivery:
    return Delivery(ASSIGNMENT, Record(number, b"k", b'{"x":"' + b"y" * size + b'"}', [], 0.0), f"id-{number}", number)


def _ready(sizes: list[int]) -> deque[Delivery]:
    return deque(_delivery(number, size) for number, size in enumerate(sizes))


@given(sizes, st.integers(1, 20), st.integers(1, 2000), st.sampled_from(Form))
def test_batches_keep_order_and_limits_and_lose_nothing(sizes: list[int], most: int, most_bytes: int, form: Form) -> None:
    ready, expected = _ready(sizes), list(_ready(sizes))
    batching = Batching(form=form, most=most, most_bytes=most_bytes, linger=1.0)
    sent: list[Delivery] = []
    while ready:
        batch = batching.take(ready)
        assert 1 <= len(batch.parts) <= most
        assert len(batch.body) <= most_bytes + 2 or len(batch.parts) == 1
        assert batch.log_id == f"{batch.parts[0].log_id}+{len(batch.parts)}"
        entries = json.loads(batch.body) if form is Form.ARRAY else [json.loads(line) for line in batch.body.splitlines()]
        assert entries == [json.loads(part.body) for part in batch.parts]
        sent += batch.parts
    assert [part.log_id for part in sent] == [part.log_id for part in expected]


def test_in_json_lines_an_entry_keeps_to_its_line() -> None:
    entry = Delivery(ASSIGNMENT, Record(0, b"k", b'{"a":\r\n 1}', [], 0.0), "id", 0)
    batch = Batching(form=Form.LINES, most=5, most_bytes=1000, linger=0).take(deque([entry]))
    assert batch.body == b'{"a":   1}\n'


def test_an_event_that_goes_alone_is_not_gathered() -> None:
    ready = _ready([1, 1, 1])
    ready[1].alone = True
    assert len(Batching(form=Form.ARRAY, most=5, most_bytes=1000, linger=0).take(ready).parts) == 1
