"""Is this process alive, and can it work? Answered from what the loops know; nothing outside is asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from consumer.worker import Worker
from producer.poller import Poller

#: Seconds without a turn after which a loop is stuck: above the deadline of a request to Auth0, and a broker's timeouts.
STUCK: Final = 90.0
#: Seconds after which a loop, or commits, that do not come round make the process not ready.
_SLOW: Final = 30.0


def stuck(loops: Sequence[Poller | Worker]) -> list[str]:
    """Returns one line for each loop that makes no progress. A loop that has not begun is not stuck."""
    return [f"{_name(loop)} makes no progress: {loop.idle_for:.0f} s" for loop in loops if loop.idle_for > STUCK]


def not_ready(loops: Sequence[Poller | Worker]) -> list[str]:
    """Returns why the process cannot work at the moment, one line each.

    A pause, an open breaker and a webhook that is down are no reasons: events wait, and other metrics tell.
    """
    return [reason for loop in loops for reason in _reasons(loop)]


def _reasons(loop: Poller | Worker) -> Iterator[str]:
    if not loop.joined:
        yield "the consumer has no part in its group yet" if isinstance(loop, Worker) else "the poller has not begun"
    elif loop.idle_for > _SLOW:
        yield f"{_name(loop)} is slow: {loop.idle_for:.0f} s"
    if isinstance(loop, Worker) and loop.commits_fail_for > _SLOW:
        yield f"positions cannot be committed: {loop.commits_fail_for:.0f} s"


def _name(loop: Poller | Worker) -> str:
    return type(loop).__name__.lower()
