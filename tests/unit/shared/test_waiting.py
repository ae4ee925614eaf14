from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from shared import waiting
from shared.waiting import Stopped, stopped_within, unless_stopped


async def _forever(ended: list[str]) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0)
        ended.append("ended")


async def test_work_that_is_done_before_a_stop_gives_its_result() -> None:
    assert await unless_stopped(asyncio.Event(), asyncio.sleep(0, "done")) == "done"


async def test_what_the_work_raises_is_raised() -> None:
    async def broken() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        await unless_stopped(asyncio.Event(), broken())


async def test_a_stop_breaks_off_the_work_and_waits_until_it_has_ended() -> None:
    stop, ended = asyncio.Event(), list[str]()
    asyncio.get_running_loop().call_soon(stop.set)
    with pytest.raises(Stopped):
        await unless_stopped(stop, _forever(ended))
    assert ended


async def test_work_may_go_on_for_its_grace_after_a_stop() -> None:
    stop, ended = asyncio.Event(), list[str]()
    stop.set()
    assert await unless_stopped(stop, asyncio.sleep(0.05, "done"), grace=5) == "done"
    with pytest.raises(Stopped):
        await unless_stopped(stop, _forever(ended), grace=0.05)
    assert ended


async def test_something_else_is_done_meanwhile_and_what_it_raises_ends_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "MEANWHILE_EVERY", 0.01)
    ended, rounds = list[str](), list[int]()

    async def meanwhile() -> None:
        rounds.append(1)
        if len(rounds) == 3:
            raise LookupError

    with pytest.raises(LookupError):
        await unless_stopped(asyncio.Event(), _forever(ended), meanwhile=meanwhile)
    assert ended
    assert len(rounds) == 3


@pytest.mark.parametrize("begin", [lambda stop: stop.set(), lambda stop: asyncio.get_running_loop().call_soon(stop.set)])
async def test_a_wait_ends_with_the_stop(begin: Callable[[asyncio.Event], object]) -> None:
    stop, began = asyncio.Event(), time.monotonic()
    begin(stop)
    assert await stopped_within(stop, 60)
    assert time.monotonic() - began < 30


async def test_a_wait_ends_with_its_time() -> None:
    assert not await stopped_within(asyncio.Event(), 0.01)
