"""When an entry became visible in Auth0, as far as the polls tell."""

from __future__ import annotations

from producer.cursor import Page
from producer.metrics import ProducerMetrics
from producer.observer import PublishedPage
from shared.event import Event
from shared.numbers import Histogram
from shared.transport.port import Checkpoint

BATCH = 3


class _Played:
    """A poller whose clock is moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.metrics = ProducerMetrics(BATCH, clock=lambda: self.now)
        self.metrics.leading(Checkpoint(log_id=""))

    def empty(self, at: float) -> None:
        self.metrics.page_fetched(Page([], None), at)

    def page(self, *dates: float, began: float, arrived: float, published: float | None = None) -> None:
        """`published=None`: the publish fails."""
        events = [_event(date) for date in dates]
        self.now = arrived
        self.metrics.page_fetched(Page(events, None), began)
        if published is None:
            return
        self.now = published
        self.metrics.page_published(
            PublishedPage(
                fetched=len(events),
                passed=events,
                published=len(events),
                filtered={},
                unknown_types=0,
                checkpoint=Checkpoint(log_id="x"),
            )
        )


def _event(date: float) -> Event:
    return Event(
        raw=b"{}",
        log_id="x",
        type="s",
        date=f"1970-01-01T00:{int(date) // 60:02d}:{int(date) % 60:02d}.000Z",
        user_id="",
        tenant="",
    )


def _total(histogram: Histogram) -> tuple[int, float]:
    return sum(histogram.counts), histogram.sum


def test_an_entry_was_visible_when_it_happened_or_when_the_last_poll_without_it_began_whatever_is_later() -> None:
    played = _Played()
    played.empty(at=100)
    played.page(90, 104, began=105, arrived=106, published=108)
    assert _total(played.metrics.auth0) == (2, 10 + 0), "the first was delayed in Auth0 by ten seconds at least"
    assert _total(played.metrics.poll) == (2, 6 + 2)
    assert _total(played.metrics.publish) == (2, 2 + 2)


def test_while_it_catches_up_only_publishing_is_measured() -> None:
    played = _Played()
    played.page(1, 2, 3, began=105, arrived=106, published=107)
    played.page(4, began=107, arrived=108, published=109)
    assert _total(played.metrics.publish) == (4, 4)
    assert _total(played.metrics.auth0) == _total(played.metrics.poll) == (0, 0)


def test_after_a_full_page_it_catches_up_until_a_page_is_empty_after_a_short_one_it_keeps_up() -> None:
    played = _Played()
    played.empty(at=100)
    played.page(101, 102, began=103, arrived=103, published=103)
    played.page(104, 104, 104, began=105, arrived=105, published=105)
    assert sum(played.metrics.poll.counts) == 5
    played.page(104, began=106, arrived=106, published=106)
    assert sum(played.metrics.poll.counts) == 5
    played.empty(at=110)
    played.page(111, began=112, arrived=112, published=112)
    assert sum(played.metrics.poll.counts) == 6


def test_a_page_that_is_read_again_since_it_could_not_be_published_was_visible_at_its_first_time() -> None:
    played = _Played()
    played.empty(at=100)
    played.page(101, began=105, arrived=106)
    played.page(101, began=150, arrived=151, published=152)
    assert _total(played.metrics.poll) == (1, 50.0)
    assert _total(played.metrics.publish) == (1, 1.0)


def test_a_poller_that_takes_over_does_not_know_when_an_entry_became_visible() -> None:
    played = _Played()
    played.empty(at=100)
    played.metrics.leading(Checkpoint(log_id="y"))
    played.page(101, began=200, arrived=201, published=202)
    assert _total(played.metrics.poll) == (0, 0)
