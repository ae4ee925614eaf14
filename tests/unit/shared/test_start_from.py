from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.start_from import BEGINNING, StartFrom

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
LOG_ID = "90020261120000000000000000000000000000004314805100532431"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("beginning", BEGINNING),
        (" Beginning ", BEGINNING),
        ("NOW", StartFrom("now", now=True)),
        (LOG_ID, StartFrom(LOG_ID, log_id=LOG_ID)),
        ("5f7c8ec7c33c6c004bbafe82", StartFrom("5f7c8ec7c33c6c004bbafe82", log_id="5f7c8ec7c33c6c004bbafe82")),
        ("2026-11-20", StartFrom("2026-11-20", moment=datetime(2026, 11, 20, tzinfo=UTC))),
        ("2026-11-20t08:00z", StartFrom("2026-11-20t08:00z", moment=datetime(2026, 11, 20, 8, tzinfo=UTC))),
        (
            "2026-11-20T08:00:00.5+02:00",
            StartFrom("2026-11-20T08:00:00.5+02:00", moment=datetime(2026, 11, 20, 6, 0, 0, 500_000, tzinfo=UTC)),
        ),
    ],
)
def test_each_form_is_understood(text: str, meant: StartFrom) -> None:
    assert StartFrom.parse(text, NOW) == meant
    assert StartFrom.parse(str(meant), NOW) == meant


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("yesterday", "must be beginning, now, a log id, or a date such as 2026-11-20"),
        ("", "must be beginning"),
        ("12345", "must be beginning"),
        ("authentication-log-of-the-tenant", "must be beginning"),  # no digit in it: no id
        ("20.11.2026", "must be beginning"),
        ("2026-13-01", "is no date (month must be in 1..12)"),
        ("2026-11-20T25:00Z", "is no date"),
        ("2026-11-20T08:00:00", "has no time zone; write 2026-11-20T08:00:00Z for UTC"),
        ("2026-11-30", "lies in the future"),
        ("9999-12-31T23:59:59-14:00", "lies in the future"),
        ("0001-01-01T00:00:00+23:59", "lies before the year 1 in UTC"),
        ("x" * 2000 + "1", "must be beginning"),
    ],
)
def test_anything_else_is_refused_with_what_to_write(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said.replace("(", r"\(").replace(")", r"\)")):
        StartFrom.parse(text, NOW)


@given(st.text() | st.from_regex(r"[0-2]\d{3}-[01]\d-[0-3]\d([Tt][0-2]\d:[0-5]\d([Zz]|[+-]\d\d:\d\d)?)?", fullmatch=True))
def test_no_text_is_taken_for_two_things(text: str) -> None:
    try:
        start = StartFrom.parse(text, NOW)
    except ValueError:
        return
    assert start.is_beginning + start.now + bool(start.log_id) + (start.moment is not None) == 1


@given(st.timedeltas(timedelta(0), timedelta(days=700_000)))
def test_a_moment_is_read_as_it_was_written(ago: timedelta) -> None:
    moment = NOW - ago
    assert StartFrom.parse(moment.isoformat(), NOW).moment == moment
