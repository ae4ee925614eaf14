from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.auth0.first_entry import FirstEntrySearch
from producer.start import MOST_PAGES, PER_PAGE
from shared.event import Event

_BEGIN = datetime(2026, 11, 25, 9, 27, 50, tzinfo=UTC)


def _event(number: int, arrived: float, late: float = 0.0) -> Event:
    """`arrived`: seconds after the begin of the log; `late`: seconds that it took to get there."""
    log_id = f"900{_BEGIN + timedelta(seconds=arrived):%Y%m%d%H%M%S}{number:039}"
    date = (_BEGIN + timedelta(seconds=arrived - late)).isoformat(timespec="milliseconds")
    return Event(raw=b"{}", log_id=log_id, type="s", date=date, user_id="", tenant="")


def _searched(events: list[Event]) -> FirstEntrySearch:
    by_date = sorted(events, key=lambda event: event.date)
    search = FirstEntrySearch()
    while not (search.found or search.exhausted):
        search.add(by_date[search.page * PER_PAGE : (search.page + 1) * PER_PAGE])
    return search


@given(
    gaps=st.lists(st.floats(0, 0.3), min_size=0, max_size=400),
    late=st.lists(st.floats(0, 90) | st.just(0.0), min_size=1, max_size=40),
)
def test_it_is_the_one_with_the_smallest_id_however_many_are_late(gaps: list[float], late: list[float]) -> None:
    arrived = 0.0
    events = []
    for number, gap in enumerate(gaps):
        arrived += gap
        events.append(_event(number, arrived, late[number % len(late)]))
    search = _searched(events)
    assert search.found
    assert search.event == (events[0] if events else None)


@pytest.mark.parametrize(("clock_ahead", "story"), [(0.0, "ids carry no parts of a second"), (1.0, "another clock dates it")])
def test_the_first_one_is_found_behind_a_page_of_late_ones_of_its_own_moment(clock_ahead: float, story: str) -> None:
    first = _event(1, arrived=0.5, late=-clock_ahead)
    late = [_event(2 + number, arrived=0.9, late=0.9 - number / 1000) for number in range(PER_PAGE)]
    search = _searched([first, *late])
    assert search.event == first, story
    assert search.page == 2


def test_a_quiet_log_costs_one_request() -> None:
    search = _searched([_event(number, number / 10) for number in range(500)])
    assert search.page == 1
    assert search.found


def test_more_than_a_search_shows_exhausts_it() -> None:
    search = _searched([_event(number, 0.0) for number in range(PER_PAGE * MOST_PAGES + 1)])
    assert search.exhausted
    assert search.page == MOST_PAGES


def test_dates_and_ids_of_another_form_end_the_search_with_the_first_page() -> None:
    plain = [_event(number, 0.0) for number in range(PER_PAGE)]
    for other in (
        Event(raw=b"{}", log_id="901", type="s", date="yesterday", user_id="", tenant=""),
        Event(raw=b"{}", log_id="100", type="s", date=plain[0].date, user_id="", tenant=""),
    ):
        search = FirstEntrySearch()
        search.add([*plain[1:], other])
        assert search.found
