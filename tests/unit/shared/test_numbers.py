"""Numbers that the fast path counts in: compared with the slow way to the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from math import nan
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.numbers import Dates, Histogram

BOUNDS = (0.1, 1.0, 10.0)
_zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
_moments = st.tuples(st.floats(1e8, 7e9), st.just(UTC) | _zones).map(lambda both: datetime.fromtimestamp(both[0], both[1]))
_forms = st.sampled_from(
    [
        lambda moment: moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z",
        lambda moment: moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        lambda moment: moment.isoformat(),
        lambda moment: moment.isoformat(" ", timespec="microseconds"),
        lambda moment: moment.astimezone(UTC).replace(tzinfo=None).isoformat(),
    ]
)


def _by_the_library(text: str) -> float:
    try:
        parsed = datetime.fromisoformat(text if text.isascii() else "?")
    except ValueError:
        return nan
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()


_texts = st.tuples(_moments, _forms).map(lambda both: str(both[1](both[0])))
_almost = st.text(max_size=30) | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:.{0,8}Z?")


@given(st.lists(_texts | _almost, max_size=20), st.randoms())
def test_a_date_is_read_as_the_library_reads_it_and_what_is_none_has_no_number(texts: list[str], random: Random) -> None:
    random.shuffle(texts)
    found = Dates().moments([text.encode("utf-8", "surrogatepass") for text in texts * 2])
    assert found == pytest.approx([_by_the_library(text) for text in texts * 2], nan_ok=True, abs=1e-4)


@given(st.lists(st.tuples(st.floats(-5, 100), st.integers(0, 5))))
def test_a_histogram_counts_each_value_in_the_first_bucket_that_it_fits_into(values: list[tuple[float, int]]) -> None:
    histogram, at_once = Histogram(BOUNDS), Histogram(BOUNDS)
    for value, times in values:
        histogram.add(value, times)
    at_once.add_all([value for value, times in values for _ in range(times)])
    assert at_once.counts == histogram.counts
    assert at_once.sum == pytest.approx(histogram.sum)
    flat = [max(0.0, value) for value, times in values for _ in range(times)]
    assert sum(histogram.counts) == len(flat)
    for place, bound in enumerate(BOUNDS):
        assert sum(histogram.counts[: place + 1]) == sum(value <= bound for value in flat)
    assert histogram.sum == pytest.approx(sum(flat))
