"""When entries may be lost: properties of the pure decision, and how seldom Auth0 is asked for the entry of a checkpoint."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import accumulate, pairwise

from hypothesis import given
from hypothesis import strategies as st

from producer.gaps import LATENESS, Continuity, Doubt, continuity, span
from shared.event import Event
from shared.transport.port import Checkpoint

DAY = 86_400.0
NOW = 1_795_000_000.0
ages = st.floats(0, 40 * DAY)
retentions = st.floats(0.01 * DAY, 40 * DAY)


def log_id(moment: float) -> str:
    return f"900{datetime.fromtimestamp(moment, UTC):%Y%m%d%H%M%S}{0:039}"


def date(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat()


def event(moment: float) -> Event:
    return Event(raw=b"{}", log_id=log_id(moment), type="s", date=date(moment), user_id="", tenant="")


def place(age: float, caught_up: float | None = None) -> Checkpoint:
    """A checkpoint at an entry of this age; Auth0 had nothing newer `caught_up` seconds ago."""
    return Checkpoint(log_id=log_id(NOW - age), date=date(NOW - age), caught_up=None if caught_up is None else NOW - caught_up)


events = st.none() | ages.map(lambda age: event(NOW - age))


def decide(checkpoint: Checkpoint, oldest: Event | None, retention: float) -> Continuity:
    return continuity(checkpoint, oldest, now=NOW, retention=retention)


@given(age=ages, since=st.floats(0, 0.99), later=st.floats(0, 1), retention=retentions)
def test_who_was_caught_up_within_the_retention_has_lost_nothing(
    age: float, since: float, later: float, retention: float
) -> None:
    """Nothing came before that moment unread, and nothing that came after it was removed yet, but for late entries."""
    caught_up = since * retention
    oldest = event(NOW - caught_up * later - (LATENESS - 1) * later)
    assert decide(place(age, caught_up), oldest, retention) is Continuity.UNBROKEN
    assert decide(place(age, caught_up), None, retention) is Continuity.UNBROKEN


@given(age=ages, since=st.floats(0, 0.99), before=st.floats(1, 10 * DAY), retention=retentions)
def test_an_entry_from_before_that_moment_shows_that_the_checkpoint_is_not_of_this_log(
    age: float, since: float, before: float, retention: float
) -> None:
    caught_up = since * retention
    oldest = event(NOW - caught_up - LATENESS - before)
    assert decide(place(age, caught_up), oldest, retention) is Continuity.BROKEN


@given(age=ages, since=st.none() | st.floats(1.01, 40), oldest=events, retention=retentions)
def test_who_was_not_caught_up_within_the_retention_is_never_sure_that_nothing_is_lost(
    age: float, since: float | None, oldest: Event | None, retention: float
) -> None:
    checkpoint = place(age, None if since is None else since * retention)
    found = decide(checkpoint, oldest, retention)
    assert found is (Continuity.UNKNOWN if oldest is None else Continuity.BROKEN)


@given(caught_up=st.none() | ages, retention=retentions, oldest=events)
def test_what_has_no_readable_moment_is_unknown_and_never_a_gap_that_is_sure(
    caught_up: float | None, retention: float, oldest: Event | None
) -> None:
    checkpoint = Checkpoint(log_id="5f0c" * 6, date="yesterday", caught_up=None if caught_up is None else NOW - caught_up)
    within = caught_up is not None and caught_up <= retention
    found = decide(checkpoint, oldest, retention)
    assert found is not Continuity.UNBROKEN or within
    unreadable = Event(raw=b"{}", log_id="5f0d" * 6, type="s", date="", user_id="", tenant="")
    assert decide(checkpoint, unreadable, retention) is Continuity.UNKNOWN


@given(age=ages, caught_up=st.none() | ages, oldest=events)
def test_the_span_begins_at_the_last_moment_that_is_known_and_is_never_negative(
    age: float, caught_up: float | None, oldest: Event | None
) -> None:
    checkpoint = place(age, caught_up)
    found = span(checkpoint, oldest, now=NOW)
    assert found is None or 0 <= found <= max(age, caught_up or 0.0) + 1
    if oldest is None:
        assert found is not None
        assert found <= min(age, age if caught_up is None else caught_up) + 1


def test_the_span_of_what_has_no_moment_is_unknown() -> None:
    assert span(Checkpoint(log_id="x" * 24), None, now=NOW) is None


# How often Auth0 is asked for an entry.


@given(age=ages, caught_up=st.none() | ages, retention=retentions)
def test_a_stored_checkpoint_is_asked_for_where_it_is_older_than_half_of_the_retention(
    age: float, caught_up: float | None, retention: float
) -> None:
    youngest = age if caught_up is None else min(age, caught_up)
    if abs(youngest - retention / 2) > 2:  # ids and dates are cut to the second
        assert Doubt(retention).of_stored(place(age, caught_up), NOW) is (youngest > retention / 2)


def test_a_checkpoint_without_any_moment_is_asked_for_and_the_oldest_entry_is_not() -> None:
    assert Doubt(DAY).of_stored(Checkpoint(log_id="x" * 24), NOW)
    assert not Doubt(DAY).of_stored(Checkpoint(log_id=""), NOW)
    assert not Doubt(DAY).of_next(Checkpoint(log_id=""), event(NOW), NOW)


@given(
    steps=st.lists(st.floats(1, DAY), min_size=2, max_size=60),
    seconds_a_page=st.floats(0, 0.9),
    retention=st.floats(0.01 * DAY, 0.5 * DAY),
)
def test_a_catch_up_that_is_faster_than_time_asks_at_most_once(
    steps: list[float], seconds_a_page: float, retention: float
) -> None:
    """Also where the retention is set too short, and the entries lie far apart."""
    doubt, now, asked = Doubt(retention), NOW, 0
    entries = [event(NOW - sum(steps) + moment) for moment in accumulate(steps)]
    for before, after in pairwise(entries):
        now += seconds_a_page
        asked += doubt.of_next(Checkpoint(log_id=before.log_id, date=before.date), after, now)
        doubt.seen(before, now)
    assert asked <= 1


@given(age=ages, back=st.floats(0, DAY))
def test_a_page_that_does_not_follow_the_checkpoint_is_doubted(age: float, back: float) -> None:
    """As the oldest entries that come for an id of another tenant."""
    assert Doubt(DAY).of_next(place(age), event(NOW - age - back), NOW)


@given(age=ages, after=st.floats(0, LATENESS - 2), retention=retentions)
def test_a_page_that_follows_closely_is_not_doubted(age: float, after: float, retention: float) -> None:
    first = event(NOW - age + after + 1)
    assert not Doubt(retention).of_next(place(age), first, NOW)
