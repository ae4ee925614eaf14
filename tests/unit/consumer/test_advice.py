"""What is said about where to look, and how often."""

from __future__ import annotations

import pytest

from consumer.delivery_log import Advice, cause_of
from consumer.webhook import Attempt, Cause

ALL = [
    *map(Attempt, (204, 302, 401, 403, 404, 405, 410, 413)),
    *(Attempt(None, "no connection", cause=cause) for cause in Cause),
]
SILENT = [*map(Attempt, (300, 400, 408, 422, 429, 500, 502, 503)), Attempt(None, "no response within 30 s", timed_out=True)]


def _advice() -> Advice:
    return Advice(frozenset({200}))


@pytest.mark.parametrize("attempt", ALL, ids=str)
def test_a_failure_that_speaks_for_itself_names_what_to_look_at_in_one_short_line(attempt: Attempt) -> None:
    said = _advice().on(attempt)
    assert any(name in said for name in ("WEBHOOK_", "BATCH_MAX_BYTES"))
    assert len(said) <= 80
    assert "{" not in said


@pytest.mark.parametrize("attempt", SILENT, ids=str)
def test_most_failures_say_nothing_of_their_cause(attempt: Attempt) -> None:
    assert _advice().on(attempt) == ""


def test_it_is_said_once_for_each_cause_and_anew_after_a_delivery() -> None:
    advice = _advice()
    said = [bool(advice.on(attempt)) for attempt in (Attempt(404), Attempt(404), Attempt(302), Attempt(301), Attempt(404))]
    assert said == [True, False, True, False, False]
    advice.given.clear()
    assert advice.on(Attempt(404))


def test_a_2xx_that_does_not_count_comes_with_the_setting_to_write() -> None:
    assert Advice(frozenset({202, 200})).on(Attempt(204)).endswith("set WEBHOOK_SUCCESS_CODES=200,202,204")


def test_what_the_client_saw_goes_before_the_status() -> None:
    assert cause_of(Attempt(400)) is None
    assert cause_of(Attempt(400, cause=Cause.WANTS_TLS)) is Cause.WANTS_TLS
