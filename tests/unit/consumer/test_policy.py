from __future__ import annotations

import pytest

from consumer.policy import Outcome, classify
from consumer.webhook import Attempt

MEANINGS = {
    200: Outcome.DELIVERED, 201: Outcome.FAILED, 202: Outcome.FAILED, 204: Outcome.FAILED, 206: Outcome.FAILED,
    301: Outcome.FAILED, 302: Outcome.FAILED, 307: Outcome.FAILED, 308: Outcome.FAILED,
    400: Outcome.FAILED, 401: Outcome.DENIED, 403: Outcome.DENIED, 404: Outcome.FAILED, 405: Outcome.FAILED, 408: Outcome.FAILED,
    410: Outcome.GONE, 413: Outcome.FAILED, 415: Outcome.FAILED, 422: Outcome.FAILED, 425: Outcome.FAILED, 429: Outcome.BUSY,
    500: Outcome.FAILED, 502: Outcome.FAILED, 503: Outcome.BUSY, 504: Outcome.FAILED, 999: Outcome.FAILED,
}  # fmt: skip


@pytest.mark.parametrize(("status", "outcome"), MEANINGS.items())
def test_exactly_200_is_delivered_and_everything_else_is_tried_again(status: int, outcome: Outcome) -> None:
    assert classify(Attempt(status), frozenset({200})) is outcome


def test_other_success_codes_count_when_the_operator_says_so() -> None:
    assert classify(Attempt(204), frozenset({200, 204})) is Outcome.DELIVERED
    assert classify(Attempt(200), frozenset({204})) is Outcome.FAILED


def test_silence_is_a_busy_receiver_and_a_broken_connection_is_not() -> None:
    assert classify(Attempt(None, "no response within 30 s", timed_out=True), frozenset({200})) is Outcome.BUSY
    assert classify(Attempt(None, "connection refused"), frozenset({200})) is Outcome.FAILED
