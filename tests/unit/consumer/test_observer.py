"""Several observers as one."""

from __future__ import annotations

from consumer.observer import ConsumerCounts, ConsumerObserver
from shared.observers import all_of
from shared.record import Record

RECORD = Record(0, b"k", b"{}", [], 0.0)


class _Heard(ConsumerObserver):
    def __init__(self) -> None:
        self.heard: list[object] = []

    def record_taken(self, record: Record) -> None:
        self.heard.append(record)

    def commit_failed(self, positions: object) -> None:
        self.heard.append(positions)


def test_each_that_overrides_a_method_is_told_in_order() -> None:
    counts, heard = ConsumerCounts(), _Heard()
    observers = all_of(ConsumerObserver, counts, heard, heard)
    observers.record_taken(RECORD)
    observers.commit_failed({})
    assert counts.taken == 1
    assert heard.heard == [RECORD, RECORD, {}, {}]


def test_what_one_observer_overrides_is_told_to_it_and_what_none_does_is_silent() -> None:
    counts = ConsumerCounts()
    observers = all_of(ConsumerObserver, counts, ConsumerObserver())
    observers.record_taken(RECORD)
    assert counts.taken == 1
    assert "positions_committed" not in vars(observers), "nothing is called for what nothing listens to"
    observers.positions_committed({})
