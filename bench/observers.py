"""What observers cost on the fast path: `python -m bench.observers` prints microseconds of CPU for each delivered event.

`always`: the counts and our own log. `metrics`: what `METRICS_PORT` adds. The best of many rounds: a machine is rarely quiet.
"""

from __future__ import annotations

import sys
import time
from typing import Final

from consumer.delivery_log import ConsumerLog
from consumer.metrics import ConsumerMetrics
from consumer.observer import ConsumerCounts, ConsumerObserver
from consumer.partitions.partition import Delivery, Partition
from consumer.webhook import Attempt
from shared import logging
from shared.observers import all_of
from shared.record import Record
from shared.transport.port import Position

_EVENTS: Final = 20_000
_ROUNDS: Final = 15


def main() -> None:
    logging.configure(verbosity="info", log_format="json")
    always = [ConsumerCounts(), ConsumerLog({200})]
    deliveries = _deliveries()
    bare = _microseconds(all_of(ConsumerObserver, *always), deliveries)
    more = _microseconds(all_of(ConsumerObserver, *always, ConsumerMetrics()), deliveries)
    sys.stdout.write(f"always {bare:.2f} µs, metrics {more - bare:.2f} µs an event\n")


def _deliveries() -> list[Delivery]:
    """Dates of five minutes, as a consumer that is behind sees them."""
    partition, deliveries = Partition(0, Position(0)), []
    for number in range(_EVENTS):
        date = b"2026-11-20T00:%02d:%02d.%03dZ" % (number % 5, number % 60, number % 1000)
        headers = [("v", b"1"), ("log-id", b"9" * 56), ("type", b"s"), ("date", date), ("tenant", b"acme")]
        record = Record(number, b"user", b"{}", headers, time.time())
        deliveries.append(Delivery(partition, record, "9" * 56, b"user"))
    return deliveries


def _microseconds(observer: ConsumerObserver, deliveries: list[Delivery]) -> float:
    best, delivered = float("inf"), Attempt(200)
    for _ in range(_ROUNDS):
        began = time.process_time()
        for delivery in deliveries:
            observer.record_taken(delivery.record)
            observer.call_sent(delivery)
            observer.call_delivered(delivery, delivered)
        best = min(best, time.process_time() - began)
    return best / len(deliveries) * 1e6


if __name__ == "__main__":
    main()
