"""What a response says about waiting, and what can be read out of the body of an error."""

from __future__ import annotations

import json
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.auth0.response import error_text, json_object, wait_of

NOW = 1_800_000_000
seconds = st.integers(0, 10**9)
skews = st.integers(-(10**8), 10**8)


def _bounded(wait: float) -> float:
    return min(max(wait, 1.0), 300.0)


def _http_date(moment: float) -> str:
    return formatdate(moment, usegmt=True)


@given(seconds)
def test_seconds_to_wait_are_taken_within_bounds(wait: int) -> None:
    assert wait_of({"retry-after": str(wait)}, NOW) == _bounded(wait)


@given(st.integers(-(10**6), 10**6))
def test_a_date_to_wait_for_is_taken_within_bounds(wait: int) -> None:
    assert wait_of({"retry-after": _http_date(NOW + wait)}, NOW) == _bounded(wait)


@given(st.integers(-(10**6), 10**6), st.floats(0, 0.99))
def test_a_full_bucket_is_waited_for(wait: int, fraction: float) -> None:
    assert wait_of({"x-ratelimit-reset": str(NOW + wait)}, NOW + fraction) == pytest.approx(_bounded(wait - fraction))


@given(st.integers(1, 300), skews)
def test_a_clock_that_is_off_does_no_harm_when_the_response_is_dated(wait: int, skew: int) -> None:
    dated = {"date": _http_date(NOW)}
    assert wait_of(dated | {"x-ratelimit-reset": str(NOW + wait)}, NOW + skew) == wait
    assert wait_of(dated | {"retry-after": _http_date(NOW + wait)}, NOW + skew) == wait
    assert wait_of(dated | {"retry-after": str(wait)}, NOW + skew) == wait


@given(st.integers(1, 300), st.integers(1, 300))
def test_retry_after_goes_before_the_state_of_the_bucket(wait: int, reset: int) -> None:
    assert wait_of({"retry-after": str(wait), "x-ratelimit-reset": str(NOW + reset)}, NOW) == wait


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({}, 10),
        ({"retry-after": ""}, 10),
        ({"retry-after": "soon"}, 10),
        ({"retry-after": "-5"}, 10),
        ({"retry-after": "NaN"}, 10),
        ({"retry-after": "inf"}, 10),
        ({"retry-after": "²"}, 10),
        ({"retry-after": "soon", "x-ratelimit-reset": str(NOW + 7)}, 7),
        ({"retry-after": "0"}, 1),
        ({"retry-after": str(10 * 365 * 86_400)}, 300),
        ({"retry-after": _http_date(NOW + 10 * 365 * 86_400)}, 300),
        ({"retry-after": "9" * 400}, 300),
        ({"x-ratelimit-reset": "0"}, 1),
        ({"x-ratelimit-reset": str(NOW * 1000)}, 300),
        ({"x-ratelimit-reset": "soon"}, 10),
        ({"date": "yesterday", "x-ratelimit-reset": str(NOW + 7)}, 7),
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_bounded(headers: dict[str, str], wait: float) -> None:
    assert wait_of(headers, NOW) == wait


DATE_LIKE = r"[A-Za-z]{0,3},? ?\d{0,3}[ -][A-Z][a-z]{2}[ -]\d{0,6} \d{0,3}:\d{0,3}(:\d{0,3})? ?([+-]?\d{0,9}|GMT)?"
headers = st.dictionaries(
    st.sampled_from(["retry-after", "x-ratelimit-reset", "date"]), st.text(max_size=40) | st.from_regex(DATE_LIKE, fullmatch=True)
)


@given(headers)
def test_whatever_the_headers_are_the_wait_is_bounded(headers: dict[str, str]) -> None:
    assert 1 <= wait_of(headers, NOW) <= 300


@given(st.dictionaries(st.text(), st.integers() | st.text() | st.none()))
def test_an_object_is_read(fields: dict[str, object]) -> None:
    assert json_object(json.dumps(fields).encode()) == fields


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b'"x"', b"<html>", b'{"a":', b"\xff\xfe", b"[" * 200_000, b'{"a":' * 200_000, b"9" * 5000]
)
def test_what_is_no_object_is_none(body: bytes) -> None:
    assert json_object(body) is None


@given(st.text(min_size=1))
def test_words_are_one_printable_line(words: str) -> None:
    text = error_text({"message": words})
    assert text.isprintable()
    assert len(text) <= 204


def test_words_come_from_both_kinds_of_errors() -> None:
    assert error_text({"error": "access_denied", "error_description": "Unauthorized"}) == " (Unauthorized)"
    assert error_text({"statusCode": 400, "error": "Bad Request", "message": "no such log"}) == " (no such log)"
    assert error_text({"message": None}) == error_text({"message": {"a": 1}}) == error_text({}) == ""
