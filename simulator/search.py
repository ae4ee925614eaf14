"""Search in a tenant's log, as far as a log reader needs it: ranges of dates, sorted by date, in pages. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf
from typing import Final, Self

from simulator.tenant_log import TenantLog

#: Auth0 returns at most this many results of one query.
MOST: Final = 1000

_RANGE: Final = re.compile(r'date:\s*([\[{])\s*"?([^\s"]+)"?\s+TO\s+"?([^\s"\]}]+)"?\s*([\]}])')


class SearchInvalid(Exception):
    """Auth0 would respond with 400; `code` is its `errorCode`."""

    def __init__(self, message: str, code: str = "invalid_query_string") -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Dates in seconds since the epoch; each end is included or not."""

    low: float = -inf
    high: float = inf
    low_included: bool = True
    high_included: bool = True

    def holds(self, date: float) -> bool:
        above = date >= self.low if self.low_included else date > self.low
        return above and (date <= self.high if self.high_included else date < self.high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    ranges: tuple[Range, ...]
    newest_first: bool
    page: int
    per_page: int
    totals: bool

    @classmethod
    def parse(cls, parameters: Mapping[str, str]) -> Self:
        """From the query of a URL. Raises `SearchInvalid`."""
        sort = parameters.get("sort", "date:-1")
        if sort not in ("date:1", "date:-1"):
            raise SearchInvalid(f"this tenant sorts by date:1 or date:-1, not by {sort!r}")
        page = number(parameters, "page", default=0, least=0, most=MOST)
        per_page = number(parameters, "per_page", default=50, least=1, most=100)
        if (page + 1) * per_page > MOST:
            message = f"Requesting page {page + 1} exceeds the allowed maximum of {MOST} records"
            raise SearchInvalid(message, "invalid_paging")
        return cls(
            ranges=_ranges(parameters.get("q", "").strip()),
            newest_first=sort == "date:-1",
            page=page,
            per_page=per_page,
            totals=parameters.get("include_totals") == "true",
        )


def find(log: TenantLog, span: range, query: Query) -> tuple[int, list[int]]:
    """Returns how many entries match, and the indexes of those on the page. Reads every date: not for a hot path."""
    dates = {index: log.date(index) for index in span}
    found = [index for index in span if all(part.holds(dates[index]) for part in query.ranges)]
    found.sort(key=dates.__getitem__, reverse=query.newest_first)
    start = query.page * query.per_page
    return len(found), found[start : start + query.per_page]


def number(parameters: Mapping[str, str], name: str, *, default: int, least: int, most: int) -> int:
    """Returns a whole number of a URL's query. Raises `SearchInvalid`."""
    text = parameters.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
        raise SearchInvalid(f"Query validation error: '{name}' must be a whole number from {least} to {most}, not {text!r}")
    return int(text)


def _ranges(text: str) -> tuple[Range, ...]:
    return tuple(_range(part.strip()) for part in text.split(" AND ")) if text else ()


def _range(text: str) -> Range:
    match = _RANGE.fullmatch(text)
    if match is None:
        raise SearchInvalid(f"this tenant understands date:[X TO Y] in q, with * for an open end, and not {text!r}")
    opening, low, high, closing = match.groups()
    return Range(
        low=-inf if low == "*" else _date(low),
        high=inf if high == "*" else _date(high),
        low_included=opening == "[",
        high_included=closing == "]",
    )


def _date(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise SearchInvalid(f"no date: {text!r}") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
