"""Which page of Auth0's log is read next. The cursor is a value: it is told of a page and returns the cursor after it.

A page is asked for by the URL that the page before it named, else by the checkpoint, and without a checkpoint as the first entry
of the log. Auth0's order is followed as it is: ids are compared only to notice that a page repeats or goes back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from itertools import pairwise
from typing import Final, Protocol

from shared.errors import PageInvalid
from shared.event import Event
from shared.transport.port import OLDEST, Checkpoint

#: Empty pages that lead on, before the link of one is followed.
_TRIES: Final = 5


@dataclass(frozen=True, slots=True)
class Page:
    events: Sequence[Event]
    #: The URL of the page after this one; None where Auth0 named none that may be followed.
    following: str | None
    #: It has as many entries as were asked for, so there is more.
    is_full: bool = False
    #: It is empty, and its link leads to another page: there may be more.
    leads_on: bool = False

    @property
    def ascends(self) -> bool:
        return all(former.log_id < latter.log_id for former, latter in pairwise(self.events))


class PageSource(Protocol):
    """A tenant's log. All methods raise `EnvironmentUnusable` where a person has to act, and `Transient`."""

    async def first(self) -> Event | None:
        """Returns the oldest entry that the tenant still has; None in an empty log."""

    async def after(self, log_id: str) -> Page:
        """Returns the page of entries that are newer than `log_id`. Raises also `CheckpointUnknown`."""

    async def follow(self, url: str) -> Page:
        """Returns the page at the URL that the page before it named."""

    async def close(self) -> None: ...


class Direction(Enum):
    #: The page is empty: the end of the log is reached.
    NONE = auto()
    FORWARD = auto()
    #: The page is empty, and names another one behind it.
    UNSURE = auto()
    #: The page ends before the checkpoint. Its link may lead in a circle.
    BACKWARD = auto()


@dataclass(frozen=True, slots=True)
class Cursor:
    #: Its `log_id` is empty where the log is read from its oldest entry.
    checkpoint: Checkpoint = OLDEST
    #: The URL that Auth0 named for the page after the checkpoint.
    following: str | None = None
    #: So many pages in a row were empty and led on.
    doubted: int = 0

    @property
    def passes_over(self) -> bool:
        """What is read next may leave entries out: it was named by a page that had none, time and again."""
        return self.following is not None and self.doubted > 0

    async def read(self, source: PageSource) -> Page:
        if not self.checkpoint.log_id:
            first = await source.first()
            return Page([first] if first else [], None)
        if self.following is not None:
            return await source.follow(self.following)
        return await source.after(self.checkpoint.log_id)

    def past(self, page: Page) -> tuple[Cursor, Direction]:
        """Returns the cursor for what comes after `page`. Raises `PageInvalid` for one that ends at the checkpoint, with nothing
        newer before it.

        An empty page does not move the checkpoint. One that leads on is asked for again a few times, by the checkpoint: what it
        lacks may be late, and its link would pass over it. Only then its link is followed.
        """
        if page.leads_on:
            doubted = self.doubted + 1
            return replace(self, following=page.following if doubted > _TRIES else None, doubted=doubted), Direction.UNSURE
        if not page.events:
            return Cursor(self.checkpoint, page.following), Direction.NONE
        last, before = page.events[-1], self.checkpoint.log_id
        if last.log_id == before:
            newer = [event for event in page.events if event.log_id > before]
            if not newer:
                raise PageInvalid("Auth0 gave the page that ends at the checkpoint once more: nothing in it is newer")
            return Cursor(Checkpoint(log_id=newer[-1].log_id, date=newer[-1].date)), Direction.FORWARD
        checkpoint = Checkpoint(log_id=last.log_id, date=last.date)
        if last.log_id < before:
            return Cursor(checkpoint), Direction.BACKWARD
        return Cursor(checkpoint, page.following), Direction.FORWARD

    def without_link(self) -> Cursor:
        """Returns the cursor that asks by checkpoint, in case the link itself is the trouble."""
        return replace(self, following=None)
