"""Metrics for Prometheus: plain numbers of the loops and their observers, made into samples at a scrape.

Labels are bounded: statuses, reasons and outcomes by their kind, partitions by those that this process owns.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from consumer.metrics import ConsumerMetrics
from consumer.observer import ConsumerCounts
from consumer.worker import Worker
from producer.metrics import ProducerMetrics
from producer.poller import Poller
from producer.selection import DropReason
from rules.metrics import RulesMetrics
from shared.documents.gap import GapKind
from shared.numbers import Histogram
from shared.words import BreakerState

#: Of `/metrics`: the text format that every scraper reads.
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_PREFIX: Final = "auth0_webhooks_"
# From the start there is a 0 for each: an alarm on a rise would miss the first one.
_REASONS: Final = {reason.value: 0 for reason in DropReason}
_OF_POLLER: Final = (GapKind.AUTH0.value, GapKind.TOO_LARGE.value)
_OF_WORKER: Final = (GapKind.RETENTION.value, GapKind.OFFSETS.value)
_LAG: Final = (
    "Seconds: event to visible in Auth0 (auth0), visible to read (poll), read to stored (publish), stored to 200 (deliver)."
)


class LoopMetrics(Collector):
    """What this process serves. `undelivered` holds, by partition that it owns, how many events are not delivered."""

    def __init__(
        self,
        loops: Sequence[Poller | Worker],
        *,
        consumer: ConsumerMetrics | None,
        producer: ProducerMetrics | None,
        rules: RulesMetrics | None = None,
    ) -> None:
        self._workers = [loop for loop in loops if isinstance(loop, Worker)]
        self._pollers = [loop for loop in loops if isinstance(loop, Poller)]
        self._consumer = consumer
        self._producer = producer
        self._rules = rules
        self.undelivered: Mapping[int, int] = {}
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def text(self) -> bytes:
        """To be called in the event loop: the loops own the numbers."""
        return generate_latest(self._registry)

    def collect(self) -> Iterable[Metric]:
        for poller in self._pollers:
            yield from self._of_poller(poller)
        if self._consumer:
            for worker in self._workers:
                self._consumer.fold()
                yield from _attempts(worker.counts, self._consumer)
                yield from self._of_worker(worker)
        if self._rules:
            yield from _of_rules(self._rules)
            off = sum(len(worker.rules.switched_off) for worker in self._workers if worker.rules)
            yield _gauge("rules_switched_off", "Rules that run no more until the next start.", off)
        gaps = Counter(dict.fromkeys((*(_OF_POLLER if self._pollers else ()), *(_OF_WORKER if self._workers else ())), 0))
        for counted in (*(poller.counts.gaps for poller in self._pollers), *(worker.gaps.counts for worker in self._workers)):
            gaps.update(counted)
        yield _counters("gaps", "Gaps that were found: events that are lost, or may be.", "kind", gaps)
        yield _histograms("lag_seconds", _LAG, "stage", self._stages())

    def _of_poller(self, poller: Poller) -> Iterator[Metric]:
        counts, requests = poller.counts, poller.requests
        yield _counter("events_fetched", "Entries read from Auth0's log.", counts.fetched)
        yield _counters("events_filtered", "Entries that did not pass the filter.", "reason", {**_REASONS, **counts.filtered})
        yield _counter("events_published", "Events stored.", counts.published)
        yield _counters("auth0_requests", "Requests to Auth0, by status; error: no response.", "status", requests.counts)
        yield _gauge("leader", "1 on the poller that is active.", poller.leading)
        behind = poller.history.behind
        if poller.leading and behind is not None:
            yield _gauge("checkpoint_age_seconds", "Time since Auth0 last had nothing newer than the checkpoint.", behind)
        if requests.remaining is not None:
            yield _gauge("auth0_rate_limit_remaining", "Requests that Auth0's rate limit has left.", requests.remaining)

    def _of_worker(self, worker: Worker) -> Iterator[Metric]:
        state = worker.state
        yield _gauge("in_flight", "Open calls.", state.in_flight)
        yield _gauge("window_events", "Events taken and not completed.", state.in_window)
        yield _gauge("waiting_retry_events", "Calls that wait for their next attempt.", state.waiting_for_retry)
        yield _gauge("concurrency_share", "This replica's part of WEBHOOK_CONCURRENT_CALLS.", state.share)
        yield _gauge("breaker_open", "1 while the webhook counts as down.", state.breaker is not BreakerState.CLOSED)
        yield _gauge("paused", "1 while an operator has paused delivery.", state.paused)
        oldest = worker.oldest_undelivered
        age = 0.0 if oldest is None else max(0.0, time.time() - oldest)
        yield _gauge("oldest_undelivered_age_seconds", "Age of the oldest event that is taken and not completed; 0: none.", age)
        undelivered = GaugeMetricFamily(f"{_PREFIX}undelivered_events", "Events not delivered.", labels=["partition"])
        for partition, events in sorted(self.undelivered.items()):
            undelivered.add_metric([str(partition)], events)
        yield undelivered

    def _stages(self) -> dict[str, Histogram]:
        stages: dict[str, Histogram] = {}
        if self._producer:
            stages |= {"auth0": self._producer.auth0, "poll": self._producer.poll, "publish": self._producer.publish}
        if self._consumer:
            stages |= {"deliver": self._consumer.deliver, "total": self._consumer.total}
        return stages


def _attempts(counts: ConsumerCounts, metrics: ConsumerMetrics) -> Iterator[Metric]:
    results = {"ok": metrics.commits, "failed": metrics.failed_commits}
    yield _counter("events_delivered", "Events that the webhook has taken.", counts.delivered)
    yield _counters("attempts", "Calls whose outcome is known.", "outcome", metrics.attempts)
    yield _counter("retries", "Of these, those made again after a failure.", metrics.retries)
    yield _counter("dead_letters", "Dead letters written.", counts.dead)
    yield _counters("commits", "Commits of positions.", "result", results)
    yield _histograms("webhook_seconds", "Duration of a call.", "", {"": metrics.webhook_seconds})


def _of_rules(metrics: RulesMetrics) -> Iterator[Metric]:
    yield _counters("rules_runs", "Runs of single rules.", "outcome", metrics.runs)
    yield _histograms("rules_seconds", "Duration of a chain, with its request for the user.", "", {"": metrics.seconds})


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(_PREFIX + name, text, value=value)


def _counters(name: str, text: str, label: str, values: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(_PREFIX + name, text, labels=[label])
    for key, value in sorted(values.items()):
        family.add_metric([key], value)
    return family


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(_PREFIX + name, text, value=value)


def _histograms(name: str, text: str, label: str, histograms: Mapping[str, Histogram]) -> Metric:
    family = HistogramMetricFamily(_PREFIX + name, text, labels=[label] if label else [])
    for value, histogram in histograms.items():
        bounds = [*map(str, histogram.bounds), "+Inf"]
        family.add_metric([value] if label else [], list(zip(bounds, accumulate(histogram.counts), strict=True)), histogram.sum)
    return family
