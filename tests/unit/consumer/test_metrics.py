"""Every attempt has one outcome, of a bounded set; and what the observer costs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.metrics import OUTCOMES, outcome_of
from consumer.webhook import Attempt, Failure


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
