"""What observers cost on the fast path: `python -m bench.observers` prints microseconds of CPU for each delivered event.

`always`: the counts and our own log. `metrics`: what `METRICS_PORT` adds. The least of many rounds, taken in turns: a machine is
rarely quiet. In brackets the same in calls of an empty method, the unit to compare machines by.
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

#: Few and often: some rounds are not disturbed.
_EVENTS: Final = 2_000
_ROUNDS: Final = 200


def main() -> None:
    logging.configure(verbosity="info", log_format="json")
    always = [ConsumerCounts(), ConsumerLog({200})]
    deliveries = _deliveries()
    metrics = ConsumerMetrics()
    few, most = all_of(ConsumerObserver, *always), all_of(ConsumerObserver, *always, metrics)
    rounds = [(_unit(deliveries), _told(few, deliveries), _told(most, deliveries, metrics)) for _ in range(_ROUNDS)]
    unit, bare, more = (min(column) for column in zip(*rounds, strict=True))
    for name, cost in (("always", bare), ("metrics", more - bare)):
        sys.stdout.write(f"{name} {cost:.2f} µs ({cost / unit:.0f} empty calls)\n")


def _deliveries() -> list[Delivery]:
    """Five minutes of a log in its order, 150 ms apart, as a consumer that is behind sees them."""
    partition, deliveries = Partition(0, Position(0)), []
    for number in range(_EVENTS):
        date = b"2026-11-20T00:%02d:%02d.%03dZ" % (number // 400, number * 15 // 100 % 60, number * 150 % 1000)
        headers = [("v", b"1"), ("log-id", b"9" * 56), ("type", b"s"), ("date", date), ("tenant", b"acme")]
        record = Record(number, b"user", b"{}", headers, time.time())
        deliveries.append(Delivery(partition, record, "9" * 56, b"user"))
    return deliveries


def _told(observer: ConsumerObserver, deliveries: list[Delivery], metrics: ConsumerMetrics | None = None) -> float:
    """Microseconds an event. With `metrics` there is `sent_at`, too, which the launcher writes for them alone."""
    delivered, clock, began = Attempt(200), time.monotonic, time.process_time()
    for delivery in deliveries:
        if metrics:
            delivery.sent_at = clock()
        observer.record_taken(delivery.record)
        observer.call_sent(delivery)
        observer.call_delivered(delivery, delivered)
    if metrics:
        metrics.fold()
    return (time.process_time() - began) / len(deliveries) * 1e6


def _unit(deliveries: list[Delivery]) -> float:
    empty, began = ConsumerObserver().call_sent, time.process_time()
    for delivery in deliveries:
        empty(delivery)
    return (time.process_time() - began) / len(deliveries) * 1e6


if __name__ == "__main__":
    main()
