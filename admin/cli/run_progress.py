"""The progress bar of `run --once`, for the person who waits for it: a row below the log, on a terminal only.

It is written by the thread that writes the log, so a terminal that does not take it holds nothing up.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from admin.actions.looking.wording import age, counted
from consumer.worker import Worker
from producer.poller import Poller
from producer.progress import CatchUpProgress
from shared import logging
from shared.terminal import columns_of

_STANDARD_ERROR: Final = 2
_EVERY: Final = 0.2  # seconds
_WIDTH: Final = 24  # characters of the bar


@asynccontextmanager
async def run_progress(poller: Poller, worker: Worker) -> AsyncIterator[None]:
    """Shows the bar while the block runs, and removes it at its end."""
    if columns_of(_STANDARD_ERROR) is None or logging.writes_json() or os.environ.get("TERM") == "dumb":
        yield
        return
    drawing = asyncio.create_task(_draw(poller, worker))
    try:
        yield
    finally:
        drawing.cancel()
        with suppress(asyncio.CancelledError):
            await drawing
        logging.keep_below("")


async def _draw(poller: Poller, worker: Worker) -> None:
    while True:
        done = worker.counts.delivered + worker.counts.dead
        if progress := poller.catch_up.progress:
            row = fetching(progress, done)
        else:
            row = delivering(done, poller.counts.published) if poller.history.caught_up else "connecting"
        logging.keep_below(row[: (columns_of(_STANDARD_ERROR) or 0) - 1])  # a full row would break
        await asyncio.sleep(_EVERY)


def fetching(progress: CatchUpProgress, delivered: int) -> str:
    """`delivered`: events, dead letters too."""
    left = "" if progress.left is None else f", {age(progress.left)} left"
    behind = "" if progress.behind is None else f", {age(progress.behind)} behind"
    rate = f"{progress.entries:,} entries, {progress.rate:,.0f}/s"
    return f"fetching {_bar(progress.done)} {rate}{behind}{left}; {delivered:,} delivered"


def delivering(delivered: int, published: int) -> str:
    """What was left by the run before counts too, so there can be more delivered than published."""
    total = max(delivered, published)
    return f"delivering {_bar(delivered / total if total else 1.0)} {delivered:,} of {counted(total, 'event')}"


def _bar(done: float) -> str:
    filled = round(done * _WIDTH)
    return f"[{'#' * filled}{'-' * (_WIDTH - filled)}] {done:>4.0%}"
