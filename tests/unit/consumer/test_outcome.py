from __future__ import annotations

import pytest

from consumer.outcome import Verdict, judge
from consumer.webhook import Attempt

MEANINGS = {
    200: Verdict.DELIVERED, 201: Verdict.FAILED, 202: Verdict.FAILED, 204: Verdict.FAILED, 206: Verdict.FAILED,
    301: Verdict.FAILED, 302: Verdict.FAILED, 307: Verdict.FAILED, 308: Verdict.FAILED,
    400: Verdict.FAILED, 401: Verdict.DENIED, 403: Verdict.DENIED, 404: Verdict.FAILED, 405: Verdict.FAILED, 408: Verdict.FAILED,
    410: Verdict.GONE, 413: Verdict.FAILED, 415: Verdict.FAILED, 422: Verdict.FAILED, 425: Verdict.FAILED, 429: Verdict.BUSY,
    500: Verdict.FAILED, 502: Verdict.FAILED, 503: Verdict.BUSY, 504: Verdict.FAILED, 999: Verdict.FAILED,
}  # fmt: skip


@pytest.mark.parametrize(("status", "verdict"), MEANINGS.items())
def test_exactly_200_is_delivered_and_everything_else_is_tried_again(status: int, verdict: Verdict) -> None:
    assert judge(Attempt(status), frozenset({200})) is verdict


def test_other_success_codes_count_when_the_operator_says_so() -> None:
    assert judge(Attempt(204), frozenset({200, 204})) is Verdict.DELIVERED
    assert judge(Attempt(200), frozenset({204})) is Verdict.FAILED


def test_silence_is_a_busy_receiver_and_a_broken_connection_is_not() -> None:
    assert judge(Attempt(None, "no answer within 30 s", timed_out=True), frozenset({200})) is Verdict.BUSY
    assert judge(Attempt(None, "connection refused"), frozenset({200})) is Verdict.FAILED
