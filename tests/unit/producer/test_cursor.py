"""The cursor against a model of a tenant's log, whose pages and links may be odd."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.cursor import Cursor, Direction, Page, PageSource
from shared.errors import Auth0Unavailable, PageInvalid
from shared.event import Event
from shared.transport.port import OLDEST, Checkpoint

_TAKE = 4  # entries a page


def _event(number: int) -> Event:
    return Event(raw=b"{}", log_id=f"{number:06}", type="s", date=f"day {number}", user_id="", tenant="")


@dataclass(slots=True)
class TenantModel(PageSource):
    """Entries 1, 2, 3 ...; a link is the number of the entry that its page follows."""

    size: int
    #: From the true link to the one that is given.
    link: Callable[[int], int | None] = lambda last: last
    order: Callable[[list[Event]], list[Event]] = lambda events: events
    broken: bool = False
    asked: list[str] = field(default_factory=list)

    async def first(self) -> Event | None:
        self.asked.append("first")
        self._serve()
        return _event(1) if self.size else None

    async def after(self, log_id: str) -> Page:
        self.asked.append("after")
        return self._page(int(log_id))

    async def follow(self, url: str) -> Page:
        self.asked.append("link")
        return self._page(int(url))

    async def close(self) -> None:
        pass

    def _page(self, before: int) -> Page:
        self._serve()
        last = min(before + _TAKE, self.size)
        link = self.link(last)
        return Page(self.order([_event(number) for number in range(before + 1, last + 1)]), None if link is None else str(link))

    def _serve(self) -> None:
        if self.broken:
            raise Auth0Unavailable("broken")


_links = st.sampled_from(
    [
        lambda last: last,
        lambda _: None,
        lambda last: max(0, last - 1),
        lambda last: max(0, last - _TAKE),
        lambda last: max(0, last - 2 * _TAKE - 1),
        lambda _: 0,
    ]
)
_orders = st.sampled_from([lambda events: events] * 3 + [lambda events: events[::-1], lambda events: events[:2] + events])
_turns = st.builds(lambda *turn: turn, st.integers(0, 6), _links, _orders, st.sampled_from([False, False, False, True]))


@given(turns=st.lists(_turns, max_size=40))
async def test_every_entry_up_to_the_checkpoint_was_read_and_the_end_is_reached(
    turns: Sequence[tuple[int, Callable[[int], int | None], Callable[[list[Event]], list[Event]], bool]],
) -> None:
    tenant, cursor, read = TenantModel(0), Cursor(), set[str]()

    async def turn() -> Direction | None:
        nonlocal cursor
        try:
            page = await cursor.read(tenant)
            after, direction = cursor.past(page)
        except (Auth0Unavailable, PageInvalid):
            cursor = cursor.without_link()
            return None
        read.update(event.log_id for event in page.events)
        assert (after.checkpoint == cursor.checkpoint) == (direction is Direction.NONE) == (not page.events)
        assert after.checkpoint.log_id > cursor.checkpoint.log_id or direction is not Direction.FORWARD
        cursor = after
        return direction

    for more, tenant.link, tenant.order, tenant.broken in turns:
        tenant.size += more
        await turn()
        reached = int(cursor.checkpoint.log_id or 0)
        assert read >= {_event(number).log_id for number in range(1, reached + 1)}
    # As after a restart: a page whose last entry is not its newest leaves a checkpoint before what its link leads to.
    tenant, cursor = TenantModel(tenant.size), cursor.without_link()
    for _ in range(tenant.size // _TAKE + 4):
        if await turn() is Direction.NONE:
            break
    else:
        raise AssertionError("the end was not reached")
    assert read == {_event(number).log_id for number in range(1, tenant.size + 1)}
    assert cursor.checkpoint == (Checkpoint(log_id=f"{tenant.size:06}", date=f"day {tenant.size}") if tenant.size else OLDEST)


async def test_the_first_page_is_the_first_entry_then_links_are_followed() -> None:
    tenant, cursor = TenantModel(9), Cursor()
    directions = []
    for _ in range(4):
        cursor, direction = cursor.past(await cursor.read(tenant))
        directions.append(direction)
    assert tenant.asked == ["first", "after", "link", "link"]
    assert directions == [Direction.FORWARD] * 3 + [Direction.NONE]


async def test_a_checkpoint_is_gone_on_from_and_a_reset_one_begins_at_the_oldest_entry() -> None:
    tenant = TenantModel(9)
    page = await Cursor(Checkpoint(log_id=_event(7).log_id)).read(tenant)
    assert [event.log_id for event in page.events] == ["000008", "000009"]
    await Cursor(OLDEST).read(tenant)
    assert tenant.asked == ["after", "first"]


def test_a_page_that_ends_at_the_checkpoint_is_no_page() -> None:
    with pytest.raises(PageInvalid, match="nothing in it is newer"):
        Cursor(Checkpoint(log_id=_event(2).log_id), "2").past(Page([_event(1), _event(2)], "2"))


def test_a_page_that_ends_at_the_checkpoint_after_newer_entries_moves_it_to_the_last_of_those() -> None:
    page = Page([_event(4), _event(3), _event(1), _event(2)], "2")
    cursor, direction = Cursor(Checkpoint(log_id=_event(2).log_id), "2").past(page)
    assert direction is Direction.FORWARD
    assert cursor == Cursor(Checkpoint(log_id=_event(3).log_id, date="day 3"))


def test_the_link_of_a_page_that_goes_back_is_not_followed() -> None:
    cursor, direction = Cursor(Checkpoint(log_id=_event(5).log_id), "5").past(Page([_event(1), _event(2)], "2"))
    assert direction is Direction.BACKWARD
    assert cursor == Cursor(Checkpoint(log_id=_event(2).log_id, date="day 2"))


@pytest.mark.parametrize(("numbers", "ascends"), [([], True), ([1], True), ([1, 2], True), ([1, 1], False), ([2, 1], False)])
def test_a_page_ascends_when_each_id_is_larger_than_the_one_before(*, numbers: list[int], ascends: bool) -> None:
    assert Page([_event(number) for number in numbers], None).ascends is ascends
