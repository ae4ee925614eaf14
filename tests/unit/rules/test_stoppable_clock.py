"""Times of blocks, by a clock that is stopped and goes on."""

from __future__ import annotations

import asyncio

import pytest

from rules.processes.stoppable_clock import StoppableClock

_NEVER = 3600.0  # seconds


async def test_no_time_is_spent_while_it_is_stopped_and_what_is_left_is_when_it_goes_on() -> None:
    clock = StoppableClock()
    async with clock.within(0.01) as first:
        clock.set(runs=True)
        clock.set(runs=False)
        await asyncio.sleep(0.05)
        async with clock.within(_NEVER) as second:
            clock.set(runs=True)
            assert first.when() is not None
            assert second.when() is not None
            clock.set(runs=False)
            await asyncio.sleep(0.05)
            assert (first.when(), second.when()) == (None, None)


@pytest.mark.parametrize("before", [True, False])
async def test_a_block_ends_with_its_time_whether_the_clock_ran_before_it_or_not(*, before: bool) -> None:
    clock = StoppableClock()
    clock.set(runs=before)

    async def wait() -> None:
        async with clock.within(0.01):
            clock.set(runs=not before)
            clock.set(runs=True)
            await asyncio.sleep(_NEVER)

    with pytest.raises(TimeoutError):
        await wait()


async def test_a_block_that_was_left_is_forgotten() -> None:
    clock = StoppableClock()
    clock.set(runs=True)
    async with clock.within(0.01):
        pass
    clock.set(runs=False)
    clock.set(runs=True)
    await asyncio.sleep(0.05)
