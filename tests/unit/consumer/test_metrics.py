"""Every attempt has one outcome, of a bounded set; and what the observer costs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.metrics import OUTCOMES, ConsumerMetrics, outcome_of
from consumer.partitions.partition import Delivery, Partition
from consumer.scheduling.batch import Batch
from consumer.webhook import Attempt, Failure
from shared.record import Headers, Record
from shared.transport.port import Position
from shared.words import BatchForm


@given(
    st.builds(
        Attempt,
        status=st.none() | st.integers(0, 999),
        timed_out=st.booleans(),
        failure=st.none() | st.sampled_from(Failure),
    )
)
def test_every_attempt_has_an_outcome_of_the_design(attempt: Attempt) -> None:
    assert outcome_of(attempt) in OUTCOMES


@pytest.mark.parametrize(
    ("attempt", "outcome"),
    [
        (Attempt(200), "200"),
        (Attempt(204), "2xx"),
        (Attempt(302), "3xx"),
        (Attempt(400), "4xx"),
        (Attempt(429), "429"),
        (Attempt(503), "5xx"),
        (Attempt(999), "5xx"),
        (Attempt(None, timed_out=True), "timeout"),
        (Attempt(None, timed_out=True, failure=Failure.CONNECT), "connect"),
        (Attempt(None), "cut"),
        (Attempt(None, failure=Failure.TLS), "tls"),
        (Attempt(None, failure=Failure.REFUSED_ADDRESS), "refused_address"),
    ],
)
def test_the_outcome_of_an_attempt(attempt: Attempt, outcome: str) -> None:
    assert outcome_of(attempt) == outcome


_OURS = [("v", b"1"), ("log-id", b"1"), ("type", b"s"), ("date", b"2026-11-20T00:00:00.000Z")]
_HEADERS = st.sampled_from([_OURS, _OURS[::-1], [("date", b"yesterday")], []])


def _call(headers: list[Headers]) -> Delivery | Batch:
    parts = [Delivery(Partition(0, Position(0)), Record(0, b"k", b"{}", one, 0.0), "1", b"k") for one in headers]
    return parts[0] if len(parts) == 1 else Batch(parts, BatchForm.ARRAY)


_CALLS = st.lists(
    st.tuples(st.lists(_HEADERS, min_size=1, max_size=3), st.sampled_from([200, 200, 204]), st.booleans(), st.booleans())
)


@given(_CALLS)
def test_what_is_counted_many_at_a_time_is_what_one_at_a_time_comes_to(
    calls: list[tuple[list[Headers], int, bool, bool]],
) -> None:
    metrics, events = ConsumerMetrics(), [one for headers, *_ in calls for one in headers]
    for headers, status, failed, fold in calls:
        call = _call(headers)
        call.failed = failed
        metrics.call_delivered(call, Attempt(status))
        if fold:
            metrics.fold()
    metrics.fold()
    assert metrics.attempts["200"] == sum(status == 200 for _, status, *_ in calls)
    assert metrics.attempts["2xx"] == sum(status == 204 for _, status, *_ in calls)
    assert metrics.retries == sum(failed for *_, failed, _ in calls)
    assert sum(metrics.webhook_seconds.counts) == len(calls)
    assert sum(metrics.deliver.counts) == len(events)
    assert sum(metrics.total.counts) == sum(("date", b"2026-11-20T00:00:00.000Z") in one for one in events)
