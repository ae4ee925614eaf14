"""Alarms before a loss: how long ago the poller was caught up, against Auth0's retention; the oldest event that is not delivered,
against the topic's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from admin.actions.looking.wording import age
from consumer.worker import Worker
from producer.poller import Poller
from shared.errors import TransportUnusable
from shared.log_throttle import LogThrottle
from shared.logging import get_logger
from shared.transport.port import Transport
from shared.waiting import stopped_within

_LOOK_EVERY: Final = 5.0  # seconds
_ASK_EVERY: Final = 3600.0  # seconds: the topic's retention seldom changes
_SAY_EVERY: Final = 900.0  # seconds between two equal lines
_EARLY: Final = 0.5
_LATE: Final = 0.8

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """A loss is near."""

    #: Which one is near its end: Auth0's retention, else the topic's.
    at_auth0: bool
    #: Seconds.
    age: float
    retention: float

    @property
    def is_late(self) -> bool:
        return self.age >= _LATE * self.retention


def near(*, behind: float | None, auth0: float, undelivered: float | None, topic: float | None) -> Iterator[Alarm]:
    """Pure; all in seconds. `behind`: since the poller was last caught up; `undelivered`: the age of the oldest event.

    `auth0` and `topic`: for how long each keeps what it has; None where nothing is removed, or it is not known.
    """
    if behind is not None and behind >= _EARLY * auth0:
        yield Alarm(at_auth0=True, age=behind, retention=auth0)
    if undelivered is not None and topic is not None and undelivered >= _EARLY * topic:
        yield Alarm(at_auth0=False, age=undelivered, retention=topic)


class Alarms:
    """Of one process; equal lines are written once in a while."""

    def __init__(self, loops: Sequence[Poller | Worker]) -> None:
        self._loops = loops
        self._throttle = LogThrottle(_SAY_EVERY)

    def sound(self, topic: float | None, now: float) -> None:
        """`topic`: its retention in seconds, if it has one. `now`: by a steady clock."""
        for loop in self._loops:
            for alarm in _of(loop, topic):
                if self._throttle.allows((alarm.at_auth0, alarm.is_late), now):
                    _say(alarm)


async def sound_alarms(transport: Transport, loops: Sequence[Poller | Worker], stop: asyncio.Event) -> None:
    """Until `stop`."""
    alarms, delivers = Alarms(loops), any(isinstance(loop, Worker) for loop in loops)
    retention, ask_at = None, time.monotonic()
    while not await stopped_within(stop, _LOOK_EVERY):
        now = time.monotonic()
        if delivers and now >= ask_at:
            retention, ask_at = await _topic_retention(transport), now + _ASK_EVERY
        alarms.sound(retention, now)


def _of(loop: Poller | Worker, topic: float | None) -> Iterator[Alarm]:
    if isinstance(loop, Poller):
        return near(behind=loop.history.behind if loop.leading else None, auth0=loop.gaps.retention, undelivered=None, topic=None)
    oldest = loop.oldest_undelivered
    age = None if oldest is None else time.time() - oldest
    return near(behind=None, auth0=0.0, undelivered=age, topic=topic)


def _say(alarm: Alarm) -> None:
    level = log.error if alarm.is_late else log.warning
    lengths = {"age": age(alarm.age), "retention": age(alarm.retention), "left": age(alarm.retention - alarm.age)}
    if alarm.at_auth0:
        level("Auth0's log was not read to its end for long: entries will be removed unread", **lengths)
    else:
        level("an event was not delivered for long: the topic will remove it undelivered", **lengths)


async def _topic_retention(transport: Transport) -> float | None:
    try:
        return await transport.retention()
    except TransportUnusable:
        return None  # the loops' own lines say why
