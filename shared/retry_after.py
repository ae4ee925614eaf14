"""The header `Retry-After`: seconds, or a date in one of HTTP's three forms (RFC 9110, 5.6.7 and 10.2.3). Pure.

Parsed by our own expressions: the standard library's parser raises `OverflowError` for years and zones that are too large, reads
years of two digits by another rule than HTTP's, and takes a date without a zone as local time. Here everything that is not a date
of HTTP is None.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

_LONGEST: Final = 1e11  # seconds, beyond this century: a number of 400 digits must become one to calculate with
_SECONDS: Final = re.compile(r"[0-9]+")
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_TIME: Final = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-5][0-9]|60)"
_FORMS: Final = (
    # Sun, 06 Nov 1994 08:49:37 GMT; the obsolete form: Sunday, 06-Nov-94 08:49:37 GMT. Numeric zones are those of email.
    re.compile(
        rf"(?:[A-Za-z]{{3,9}}, *)?(?P<day>[0-9]{{1,2}})[ -](?P<month>[A-Za-z]{{3}})[ -](?P<year>[0-9]{{4}}|[0-9]{{2}}) +{_TIME}"
        r"(?: *(?:GMT|UTC|Z|(?P<sign>[+-])(?P<hours>[01][0-9]|2[0-3]):?(?P<minutes>[0-5][0-9])))?"
    ),
    # Sun Nov  6 08:49:37 1994
    re.compile(rf"[A-Za-z]{{3}} +(?P<month>[A-Za-z]{{3}}) +(?P<day>[0-9]{{1,2}}) +{_TIME} +(?P<year>[0-9]{{4}})"),
)


def retry_after(text: str, now: float) -> float | None:
    """Returns the seconds to wait, at least 0 and finite; None for neither seconds nor a date. `now` in Unix seconds."""
    wait = whole_seconds(text)
    if wait is None and (date := http_date(text, now)) is not None:
        wait = date - now
    return None if wait is None else max(0.0, wait)


def whole_seconds(text: str) -> float | None:
    """Returns a number of digits and nothing else; None for any other text."""
    text = text.strip()
    return min(float(text), _LONGEST) if _SECONDS.fullmatch(text) else None


def http_date(text: str, now: float) -> float | None:
    """Returns the moment in Unix seconds. A date without a zone is UTC; `now` decides the century of a year of two digits."""
    match = next(filter(None, (form.fullmatch(text.strip()) for form in _FORMS)), None)
    if match is None:
        return None
    year, month, day, hour, minute, second = match.group("year", "month", "day", "hour", "minute", "second")
    try:
        number = _MONTHS.index(month.lower()) + 1
        date = datetime(_whole_year(year, now), number, int(day), int(hour), int(minute), min(int(second), 59), tzinfo=UTC)
        return (date - _offset(match)).timestamp()
    except (ValueError, OverflowError):  # no such month or day, or a zone that leads outside the calendar
        return None


def _whole_year(year: str, now: float) -> int:
    """RFC 9110, 5.6.7: a year that would be more than 50 years ahead is in the century before."""
    if len(year) == 4:
        return int(year)
    this = datetime.fromtimestamp(now, UTC).year
    whole = this - this % 100 + int(year)
    return whole - 100 if whole > this + 50 else whole


def _offset(match: re.Match[str]) -> timedelta:
    """Returns how far the date's zone is ahead of UTC."""
    zone = match.groupdict()
    ahead = timedelta(hours=int(zone.get("hours") or 0), minutes=int(zone.get("minutes") or 0))
    return -ahead if zone.get("sign") == "-" else ahead
