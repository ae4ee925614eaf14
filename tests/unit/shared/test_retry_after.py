"""`Retry-After` and dates in headers, for both sides: seconds, or nothing; never an exception."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime, formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.retry_after import http_date, retry_after, whole_seconds

NOW = 1_800_000_000.0  # 15 January 2027
LONGEST = 1e11
MOMENT = datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC).timestamp()

moments = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)).map(lambda date: date.replace(microsecond=0, tzinfo=UTC))  # noqa: DTZ001


@pytest.mark.parametrize(
    "text",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        " sun, 6 nov 1994 08:49:37 GMT ",
        "06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 -0000",
        "Sun, 06 Nov 1994 10:49:37 +0200",
        "Sun, 06 Nov 1994 03:19:37 -05:30",
    ],
)
def test_every_form_of_a_date_is_the_same_moment(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")  # a date without a zone is UTC wherever we run
    time.tzset()
    try:
        assert http_date(text, NOW) == MOMENT
    finally:
        monkeypatch.undo()
        time.tzset()


@given(moments)
def test_a_date_is_read_as_it_was_written(moment: datetime) -> None:
    for text in (
        format_datetime(moment, usegmt=True),
        format_datetime(moment),
        f"{moment:%a %b} {moment.day:2} {moment:%H:%M:%S} {moment.year:04}",
    ):
        assert http_date(text, NOW) == moment.timestamp()


@given(moments, st.integers(-23 * 60, 23 * 60))
def test_a_zone_is_taken_into_account(moment: datetime, minutes: int) -> None:
    zone = timezone(timedelta(minutes=minutes))
    assert http_date(format_datetime(moment.astimezone(zone)), NOW) == moment.timestamp()


@given(st.integers(0, 99), st.floats(0, 4e9))
def test_a_year_of_two_digits_is_never_more_than_fifty_years_ahead(year: int, now: float) -> None:
    moment = http_date(f"Sunday, 06-Nov-{year:02} 08:49:37 GMT", now)
    assert moment is not None
    found, this = datetime.fromtimestamp(moment, UTC).year, datetime.fromtimestamp(now, UTC).year
    assert found % 100 == year
    assert this - 99 <= found <= this + 50


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "soon", "-5", "+5", "1e3", "1.5", "0x10", "1_000", "NaN", "inf", "²", "٣", "5 s", "\x00", "5\x00",
        "Wed, 21 Oct 99999999999999999999 07:28:00 GMT", "Wed, 99999999999999999999 Oct 2015 07:28:00 GMT",
        "Wed, 21 Oct 2015 07:28:00 +9999", "Wed, 21 Oct 2015 07:28:00 -9999", "Wed, 21 Oct 2015 07:28:00 +99999999999999999999",
        "Wed, 21 Oct 0000 07:28:00 GMT", "Wed, 00 Oct 2015 07:28:00 GMT", "Mon, 30 Feb 2015 07:28:00 GMT",
        "Wed, 21 Foo 2015 07:28:00 GMT",
        "Wed, 21 Oct 2015 25:28:00 GMT", "Wed, 21 Oct 2015 07:28:61 GMT",
        "Wed, 21 Oct -2015 07:28:00 GMT", "2015-10-21T07:28:00Z",
        "Mon, 01 Jan 0001 00:00:00 +0100", "Fri, 31 Dec 9999 23:59:59 -0100", "Wed, ２１ Oct 2015 07:28:00 GMT",
    ],
)  # fmt: skip
def test_what_is_neither_seconds_nor_a_date_is_ignored(text: str) -> None:
    assert retry_after(text, NOW) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("120", 120), (" 7 ", 7), ("007", 7), ("9" * 5000, LONGEST), ("0" * 5000 + "7", 7)],
)
def test_seconds_are_digits_alone_and_stay_finite(text: str, seconds: float) -> None:
    assert retry_after(text, NOW) == seconds


def test_a_leap_second_is_no_reason_to_ignore_a_date() -> None:
    assert http_date("Sat, 31 Dec 2016 23:59:60 GMT", NOW) == datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()


@given(st.floats(0, 4e9), st.integers(-(10**7), 10**7))
def test_a_date_is_waited_for_and_one_that_is_past_is_not(now: float, wait: int) -> None:
    now = math.floor(now)
    assert retry_after(formatdate(now + wait, usegmt=True), now) == max(0, wait)


DATE_LIKE = (
    r"([A-Za-z]{0,9},? ?)?(\d{0,22}|[A-Z][a-z]{2})[ -]([A-Z][a-z]{2}|\d{0,3})[ -]-?\d{0,22} \d{0,3}:\d{0,3}(:\d{0,3})?"
    r" ?([+-]?\d{0,22}|GMT|[A-Z]{1,4}|-?\d{4})"
)
NUMBER_LIKE = r"\s?[+-]?\d{0,400}(\.\d*)?([eE][+-]?\d+)?"
CLOSE = r"(Sun(day)?, )?\d{2}[ -](Jan|Feb|Nov|Dec)[ -](\d{4}|\d\d) \d\d:\d\d:\d\d (GMT|[+-]\d{4})"


@given(
    st.one_of(
        st.binary(max_size=60).map(lambda raw: raw.decode("latin-1")),
        st.text(max_size=40),
        st.from_regex(DATE_LIKE, fullmatch=True),
        st.from_regex(NUMBER_LIKE, fullmatch=True),
        st.from_regex(CLOSE, fullmatch=True),
    ),
    st.floats(0, 4e9),
)
def test_any_text_is_a_finite_wait_or_nothing(text: str, now: float) -> None:
    wait = retry_after(text, now)
    assert wait is None or 0 <= wait <= 1e12
    assert whole_seconds(text) is None or text.strip().isascii()
    date = http_date(text, now)
    assert date is None or datetime.fromtimestamp(date, UTC).timestamp() == date  # no moment beyond the calendar
