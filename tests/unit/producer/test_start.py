"""Where a poller begins, on a model of a tenant whose entries reach the log late and in any order of their dates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.cursor import Cursor, Page
from producer.start import PER_PAGE, SearchableLog, StartUnknown, resolve
from shared.event import Event, moment_of
from shared.start_from import BEGINNING, StartFrom
from shared.transport.port import OLDEST, Checkpoint

BEGIN = datetime(2026, 11, 20, tzinfo=UTC)
TAKE = 7


@dataclass(slots=True)
class LogModel(SearchableLog):
    """Entries in the order of their ids."""

    entries: Sequence[Event]
    searches: list[str] = field(default_factory=list)

    async def first(self) -> Event | None:
        return self.entries[0] if self.entries else None

    async def after(self, log_id: str) -> Page:
        newer = [event for event in self.entries if event.log_id > log_id][:TAKE]
        return Page(newer, newer[-1].log_id if newer else log_id)

    async def follow(self, url: str) -> Page:
        return await self.after(url)

    async def search(self, page: int, *, newest_first: bool = False, before: datetime | None = None) -> Sequence[Event]:
        found = [event for event in self.entries if before is None or date_of(event) < before]
        found.sort(key=date_of, reverse=newest_first)
        return found[page * PER_PAGE : (page + 1) * PER_PAGE]

    async def entry(self, log_id: str) -> Event | None:
        return next((event for event in self.entries if event.log_id == log_id), None)

    async def close(self) -> None:
        pass


def date_of(event: Event) -> datetime:
    date = moment_of(event.date)
    assert date is not None
    return date


def entry(number: int, arrived: timedelta, late: timedelta, *, timed: bool = True) -> Event:
    date = BEGIN + arrived - late
    log_id = f"900{BEGIN + arrived:%Y%m%d%H%M%S}{number:030}" if timed else f"{number:040}x"
    return Event(raw=b"{}", log_id=log_id, type="s", date=date.isoformat(), user_id="", tenant="")


lateness = st.one_of(st.just(timedelta(0)), st.timedeltas(timedelta(0), timedelta(seconds=90)))
gaps = st.timedeltas(timedelta(0), timedelta(seconds=20))


@st.composite
def logs(draw: st.DrawFn, *, timed: bool = True) -> LogModel:
    arrived, entries = timedelta(0), []
    for number, (gap, late) in enumerate(draw(st.lists(st.tuples(gaps, lateness), max_size=40))):
        arrived += gap
        entries.append(entry(number, arrived, late, timed=timed))
    return LogModel(sorted(entries, key=lambda event: event.log_id))


async def read_from(log: LogModel, checkpoint: Checkpoint) -> list[Event]:
    cursor, read = Cursor(checkpoint), list[Event]()
    while (page := await cursor.read(log)).events:
        read += page.events
        cursor, _ = cursor.past(page)
    return read


@given(logs(), st.timedeltas(timedelta(minutes=-3), timedelta(minutes=16)))
async def test_a_date_begins_with_its_first_event_and_misses_none(log: LogModel, after: timedelta) -> None:
    moment = BEGIN + after
    read = await read_from(log, await resolve(StartFrom("x", moment=moment), log))
    wanted = [event for event in log.entries if date_of(event) >= moment]
    assert [event for event in read if date_of(event) >= moment] == wanted
    assert not read or not wanted or read[0] == wanted[0]
    assert wanted or not read


@given(logs(timed=False), st.timedeltas(timedelta(minutes=-3), timedelta(minutes=16)))
async def test_without_times_in_the_ids_nothing_is_missed_either(log: LogModel, after: timedelta) -> None:
    moment = BEGIN + after
    read = await read_from(log, await resolve(StartFrom("x", moment=moment), log))
    assert [event for event in read if date_of(event) >= moment] == [event for event in log.entries if date_of(event) >= moment]


@given(logs())
async def test_now_passes_over_all_that_is_there(log: LogModel) -> None:
    checkpoint = await resolve(StartFrom("now", now=True), log)
    assert await read_from(log, checkpoint) == []
    assert (checkpoint == OLDEST) == (not log.entries)


async def test_a_log_id_begins_with_what_comes_after_it() -> None:
    log = LogModel([entry(number, timedelta(seconds=number), timedelta(0)) for number in range(20)])
    chosen = log.entries[11].log_id
    assert await read_from(log, await resolve(StartFrom(chosen, log_id=chosen), log)) == log.entries[12:]


async def test_a_log_id_of_another_tenant_is_refused_with_the_ways_on() -> None:
    with pytest.raises(StartUnknown, match=r"has no entry 9002026.*another tenant's, or past the time.*Begin at a date"):
        await resolve(StartFrom("x", log_id="90020261120"), LogModel([]))


async def test_the_first_moment_of_all_begins_at_the_oldest_entry() -> None:
    log = LogModel([entry(number, timedelta(seconds=number), timedelta(0)) for number in range(3)])
    assert await resolve(StartFrom.parse("0001-01-01", BEGIN), log) == OLDEST


async def test_the_beginning_is_the_oldest_entry() -> None:
    assert await resolve(BEGINNING, LogModel([])) == OLDEST


async def test_a_flood_of_late_entries_does_not_hide_the_entry_before_them() -> None:
    """350 entries of the minute before the date reached the log after it."""
    timely = [entry(number, timedelta(seconds=number), timedelta(0)) for number in range(30)]
    late = [entry(100 + number, timedelta(seconds=100), timedelta(seconds=60)) for number in range(350)]
    last = [entry(1000, timedelta(seconds=101), timedelta(0))]
    log = LogModel([*timely, *late, *last])
    read = await read_from(log, await resolve(StartFrom("x", moment=BEGIN + timedelta(seconds=50)), log))
    assert read == last
