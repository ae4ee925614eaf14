"""Where Auth0 does not know the checkpoint any more: what is a gap, that it is on record before it is passed, what is none."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from structlog.testing import capture_logs

from shared.documents.gap import GapKind
from shared.errors import GapFound
from shared.event import Event
from shared.transport.port import Checkpoint, Publisher
from shared.words import GapPolicy
from simulator.tenant import Tenant
from tests.integration.pollers import APPLICATION, PollerSetup, WatchedPublisher
from tests.support.listed_log import ListedLog

SetupOf = Callable[..., Awaitable[PollerSetup]]

HOUR: Final = 3600.0
DAY: Final = 24 * HOUR
ANSWERS: Final = ("400", "404", "oldest")
GAP: Final = "gap: Auth0 has removed entries that were not read, or may have"


def log_id(moment: float, number: int = 0) -> str:
    return f"900{datetime.fromtimestamp(moment, UTC):%Y%m%d%H%M%S}{number:039}"


def entry(moment: float, number: int = 0) -> bytes:
    date = datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
    return json.dumps({"log_id": log_id(moment, number), "type": "s", "date": date}).encode()


@pytest.fixture
async def setup_of(tmp_path: Path) -> AsyncIterator[SetupOf]:
    """Makes the setup around entries of these ages, in seconds, at a tenant that keeps them for a day."""
    setups: list[PollerSetup] = []

    async def make(ages: Sequence[float], *, stored: Checkpoint | None = None, **options: Any) -> PollerSetup:
        now = time.time()
        tenant = Tenant(ListedLog((entry(now - age) for age in ages), retention=DAY), application=APPLICATION, **options)
        await tenant.start()
        setups.append(PollerSetup(tenant, tmp_path / f"log-{len(setups)}.db"))
        if stored:
            assert await setups[-1].log.set_checkpoint(stored, lambda _: True)
        return setups[-1]

    yield make
    for setup in setups:
        await setup.log.close()
        await setup.tenant.stop()


def stored(age: float, caught_up: float | None = None) -> Checkpoint:
    """A checkpoint at an entry of this age, written by a poller that was last caught up so many seconds ago."""
    moment = time.time() - age
    date = datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
    return Checkpoint(log_id=log_id(moment), date=date, caught_up=None if caught_up is None else time.time() - caught_up)


def ids(setup: PollerSetup) -> list[str]:
    return [event.log_id for event in setup.events]


@pytest.mark.parametrize("unknown_from", ANSWERS)
async def test_what_auth0_has_removed_unread_is_a_gap_and_the_rest_is_read(setup_of: SetupOf, unknown_from: str) -> None:
    lost = stored(30 * HOUR, caught_up=29 * HOUR)
    setup = await setup_of([20 * HOUR, 3 * HOUR, HOUR], stored=lost, unknown_from=unknown_from)
    setup.poller.gaps.replica = "host:1:ab"
    with capture_logs() as lines:
        async with setup.publishing() as publisher:
            await setup.to_the_end(publisher)
    assert list(await setup.stored()) == ids(setup)
    (gap,) = await setup.gaps()
    assert (gap.kind, gap.certain, gap.policy, gap.by) == (GapKind.AUTH0, False, GapPolicy.CONTINUE, "host:1:ab")
    assert (gap.before, gap.before_date, gap.after) == (lost.log_id, lost.date, ids(setup)[0])
    assert gap.span == pytest.approx(9 * HOUR, abs=60)
    assert [line["report"] for line in lines if line["event"] == GAP] == [gap.key]
    assert setup.poller.counts.gaps == {"auth0": 1}


class RecordedFirst(WatchedPublisher):
    """Fails a page that comes before the report of its gap."""

    def __init__(self, publisher: Publisher, setup: PollerSetup) -> None:
        super().__init__(publisher)
        self._setup = setup

    async def publish(self, events: Sequence[Event], checkpoint: Checkpoint) -> int:
        assert await self._setup.gaps()
        return await super().publish(events, checkpoint)


async def test_a_gap_is_on_record_before_the_checkpoint_passes_it(setup_of: SetupOf) -> None:
    setup = await setup_of([HOUR], stored=stored(30 * HOUR))
    async with setup.publishing() as publisher:
        await setup.to_the_end(RecordedFirst(publisher, setup))
    assert list(await setup.stored()) == ids(setup)


@pytest.mark.parametrize("unknown_from", ANSWERS)
async def test_with_on_gap_stop_the_poller_ends_and_passes_nothing_over(setup_of: SetupOf, unknown_from: str) -> None:
    lost = stored(30 * HOUR)
    setup = await setup_of([20 * HOUR, HOUR], stored=lost, unknown_from=unknown_from)
    for _ in range(2):
        setup.restart(on_gap=GapPolicy.STOP)
        with pytest.raises(GapFound, match=r"ON_GAP=stop.*checkpoint set DATE --yes.*ON_GAP=continue"):
            await setup.poller.run(setup.log, asyncio.Event())
        assert setup.checkpoint == lost.log_id
    (gap,) = await setup.gaps()
    assert gap.policy is GapPolicy.STOP
    assert not await setup.stored()


@pytest.mark.parametrize("unknown_from", ANSWERS)
@pytest.mark.parametrize("ages", [[], [HOUR], [3 * HOUR, 2 * HOUR]], ids=len)
async def test_a_quiet_tenant_that_has_removed_the_checkpoint_is_no_gap(
    setup_of: SetupOf, unknown_from: str, ages: list[float]
) -> None:
    setup = await setup_of(ages, stored=stored(40 * HOUR, caught_up=3 * HOUR), unknown_from=unknown_from)
    async with setup.publishing() as publisher:
        with capture_logs() as lines:
            await setup.to_the_end(publisher)
    assert list(await setup.stored()) == ids(setup)
    assert await setup.gaps() == []
    assert not [line for line in lines if line["log_level"] in ("error", "warning")]
