"""What a catch-up says about itself: seldom, with figures that are right, and that it is over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from producer.cursor import Page
from producer.observer import PublishedPage
from producer.progress import CatchUp, CatchUpLog
from shared.event import Event
from shared.transport.port import OLDEST, Checkpoint

TODAY = 1_800_000_000.0
CATCHING_UP, CAUGHT_UP = "catching up with Auth0's log", "caught up with Auth0's log"


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


@dataclass(slots=True)
class Watched:
    """A poller's observer, and the time."""

    now: float = 0.0
    log: CatchUpLog = field(init=False)

    def __post_init__(self) -> None:
        self.log = CatchUpLog(clock=lambda: self.now, wall=lambda: TODAY + self.now)
        self.log.leading(OLDEST)

    def page(self, entries: int, date: str = "") -> None:
        event = Event(raw=b"{}", log_id="1", type="s", date=date, user_id="", tenant="")
        self.log.page_fetched(Page([event] * entries, None), 0.0)
        if entries:
            checkpoint = Checkpoint(log_id="1", date=date)
            self.log.page_published(
                PublishedPage(
                    fetched=entries, passed=(), published=0, filtered={"all": entries}, unknown_types=0, checkpoint=checkpoint
                )
            )


def _lines(lines: Sequence[Any]) -> list[str]:
    return [line["event"] for line in lines]


def test_an_hour_of_log_a_second_says_when_it_ends() -> None:
    watched = Watched()
    begin = TODAY - 86_400
    with capture_logs() as lines:
        for second in range(1, 13):
            watched.now = second
            watched.page(100, _iso(begin + 3600 * second))
        watched.now = 20
        watched.page(0)
    first, end = lines
    assert first["event"] == CATCHING_UP
    assert (first["entries"], first["per_second"]) == (1100, 110)
    assert first["behind"] == "13:00:11"
    assert first["left"] == "0:00:13"
    assert first["end"] == _iso(TODAY + 24).replace("+00:00", "Z")
    assert (end["event"], end["entries"], end["seconds"]) == (CAUGHT_UP, 1200, 19)


def test_a_poller_that_keeps_up_says_once_that_it_has_caught_up() -> None:
    watched = Watched()
    with capture_logs() as lines:
        for _ in range(50):
            watched.page(3, _iso(TODAY))
            watched.page(0)
            watched.now += 5
    assert _lines(lines) == [CAUGHT_UP]


def test_a_poller_that_stood_by_begins_anew() -> None:
    watched = Watched()
    watched.page(0)
    watched.page(5)
    watched.log.standing_by()
    assert watched.log.progress is None
    watched.log.leading(OLDEST)
    with capture_logs() as lines:
        watched.page(0)
    assert _lines(lines) == [CAUGHT_UP]


@given(pages=st.lists(st.tuples(st.floats(0, 40), st.integers(0, 100), st.sampled_from(["", "soon", _iso(TODAY), _iso(0)]))))
def test_lines_of_a_catch_up_are_ten_seconds_apart_and_each_is_followed_by_its_end(pages: list[tuple[float, int, str]]) -> None:
    watched = Watched()
    said: list[float] = []
    for wait, entries, date in pages:
        watched.now += wait
        with capture_logs() as lines:
            watched.page(entries, date)
        for line in lines:
            if line["event"] == CATCHING_UP:
                assert not said or watched.now - said[-1] >= 10
                said.append(watched.now)
            else:
                assert entries == 0
                said.clear()


@pytest.mark.parametrize("reached", [[None] * 9, [TODAY] * 9, [TODAY - day for day in range(9)], [1e18] * 9], ids=repr)
def test_an_end_that_cannot_be_known_is_not_guessed(reached: list[float | None]) -> None:
    """Dates that cannot be read, that stand still, that go backwards, or lie in the future."""
    catch_up = CatchUp(0.0)
    for second, date in enumerate(reached, 1):
        catch_up.add(100, date, second, TODAY + second)
    progress = catch_up.progress(10.0, TODAY + 10)
    assert progress.left is None
    assert 0 <= progress.done <= 1


@given(pages=st.lists(st.tuples(st.floats(0, 5), st.integers(1, 100), st.floats(0, 1e5) | st.none()), min_size=1))
def test_figures_stay_within_bounds(pages: list[tuple[float, int, float | None]]) -> None:
    catch_up, at = CatchUp(0.0), 0.0
    for wait, entries, age in pages:
        at += wait
        catch_up.add(entries, None if age is None else TODAY - age, at, TODAY + at)
        progress = catch_up.progress(at, TODAY + at)
        assert progress.entries <= sum(entries for _, entries, _ in pages)
        assert progress.rate >= 0
        assert 0 <= progress.done <= 1
        assert progress.left is None or progress.left >= 0
