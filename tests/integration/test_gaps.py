"""Where Auth0 does not know the checkpoint any more: what is a gap, that it is on record before it is passed, what is none."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from structlog.testing import capture_logs

from admin.actions.alarms import Alarms
from shared.documents.gap import GapKind
from shared.errors import GapFound, PublishFailed, TransportUnusable
from shared.event import Event
from shared.transport.port import Checkpoint, Publisher, Table
from shared.transport.sqlite.transport import SqliteTransport
from shared.words import GapPolicy
from simulator.tenant import Tenant
from tests.integration.odd_cases import entries_of
from tests.integration.pollers import APPLICATION, PollerSetup, WatchedPublisher
from tests.support import faults
from tests.support.listed_log import ListedLog

SetupOf = Callable[..., Awaitable[PollerSetup]]

HOUR: Final = 3600.0
DAY: Final = 24 * HOUR
ANSWERS: Final = ("400", "404", "oldest")
GAP: Final = "gap: Auth0 has removed entries that were not read, or may have"


def log_id(moment: float, number: int = 0) -> str:
    return f"900{datetime.fromtimestamp(moment, UTC):%Y%m%d%H%M%S}{number:039}"


def entry(moment: float, number: int = 0) -> bytes:
    return json.dumps({"log_id": log_id(moment, number), "type": "s", "date": _date(moment)}).encode()


def _date(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")


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
    return Checkpoint(log_id=log_id(moment), date=_date(moment), caught_up=None if caught_up is None else time.time() - caught_up)


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


# Before a loss.


@pytest.mark.parametrize(("behind", "level"), [(11, None), (13, "warning"), (20, "error")])
async def test_an_alarm_comes_before_auth0_removes_what_was_not_read(setup_of: SetupOf, behind: float, level: str | None) -> None:
    """The last entry is from 40 hours ago: what counts is how long ago Auth0 had nothing newer."""
    setup = await setup_of([HOUR], stored=stored(40 * HOUR, caught_up=behind * HOUR))
    setup.tenant.faults.add(faults.status(500), times=1)
    alarms = Alarms((setup.poller,))
    async with setup.publishing() as publisher:
        await setup.poller.turn(publisher)
        with capture_logs() as lines:
            for second in range(0, 1000, 100):
                alarms.sound(None, second)
        assert [line["log_level"] for line in lines] == ([level] * 2 if level else [])
        await setup.to_the_end(publisher)
        with capture_logs() as lines:
            alarms.sound(None, 10_000)
        assert lines == []


async def test_a_poller_that_was_never_caught_up_counts_from_its_start(setup_of: SetupOf) -> None:
    setup = await setup_of([HOUR], stored=stored(20 * HOUR))
    async with setup.publishing() as publisher:
        assert setup.poller.history.behind is None
        await setup.poller.turn(publisher)
        assert setup.poller.history.behind == pytest.approx(0, abs=60)


async def test_what_is_too_large_for_the_log_is_on_record_before_the_checkpoint_passes_it(setup_of: SetupOf) -> None:
    setup = await setup_of([3 * HOUR, 2 * HOUR, HOUR])
    large = setup.events[1]

    class Small(RecordedFirst):
        def too_large(self, events: Sequence[Event]) -> Sequence[Event]:
            return [event for event in events if event.log_id == large.log_id]

        async def publish(self, events: Sequence[Event], checkpoint: Checkpoint) -> int:
            publish = super().publish if checkpoint.log_id >= large.log_id else self._publisher.publish
            return await publish([event for event in events if event.log_id != large.log_id], checkpoint)

    async with setup.publishing() as publisher:
        await setup.to_the_end(Small(publisher, setup))
    (gap,) = await setup.gaps()
    assert (gap.id, gap.kind, gap.size, gap.certain) == (large.log_id, GapKind.TOO_LARGE, len(large.raw), True)
    assert gap.sha256 == hashlib.sha256(large.raw).hexdigest()
    assert setup.poller.counts.gaps == {"too_large": 1}


# Without a table.


class Mute(SqliteTransport):
    """Its control table refuses `refusals` writes; with `closed` it cannot be opened."""

    refusals = 0
    closed = False

    async def control(self) -> Table:
        if self.closed:
            raise TransportUnusable("no right to WRITE")
        table = await super().control()
        if self.refusals:
            self.refusals -= 1
            await table.close()
            raise PublishFailed("the brokers do not respond")
        return table


async def test_a_report_that_is_not_taken_at_once_is_tried_again_before_the_gap_is_passed(
    setup_of: SetupOf, tmp_path: Path
) -> None:
    setup = await setup_of([HOUR], stored=stored(30 * HOUR))
    async with setup.publishing() as publisher:
        setup.poller.gaps.transport = mute = Mute(setup.path, retention_days=1)
        mute.refusals = 2
        waits = await setup.to_the_end(RecordedFirst(publisher, setup))
        await mute.close()
    assert sum(wait > 0 for wait in waits) == 2
    assert list(await setup.stored()) == ids(setup)
    assert setup.poller.counts.gaps == {"auth0": 1}


async def test_without_the_right_to_the_table_the_line_is_written_and_the_work_goes_on(setup_of: SetupOf) -> None:
    setup = await setup_of([HOUR], stored=stored(30 * HOUR))
    async with setup.publishing() as publisher:
        setup.poller.gaps.transport = mute = Mute(setup.path, retention_days=1)
        mute.closed = True
        with capture_logs() as lines:
            await setup.to_the_end(publisher)
        await mute.close()
    assert list(await setup.stored()) == ids(setup)
    assert await setup.gaps() == []
    assert setup.poller.counts.gaps == {"auth0": 1}
    assert sum(line["event"] == GAP for line in lines) == 1
    assert sum("cannot be stored; the work goes on" in line["event"] for line in lines) == 1


# Late entries.


@pytest.mark.parametrize("unknown_from", ANSWERS)
async def test_late_entries_that_outlive_the_checkpoint_are_not_published_again(setup_of: SetupOf, unknown_from: str) -> None:
    """Auth0 keeps an entry by its date, and orders by arrival: entries that were read can outlive the last one that was."""
    now = time.time()
    lost = Checkpoint(log_id=log_id(now - DAY + 100, 5), date=_date(now - DAY - 50))
    setup = await setup_of([], stored=lost, unknown_from=unknown_from)
    for number in range(10):
        if number != 5:
            setup.tenant.log.append(entry(now - DAY + 100, number))  # type: ignore[attr-defined]
    async with setup.publishing() as publisher:
        await setup.to_the_end(publisher)
    assert list(await setup.stored()) == [log_id(now - DAY + 100, number) for number in range(6, 10)]


async def test_the_entries_of_another_tenant_are_all_new(setup_of: SetupOf) -> None:
    setup = await setup_of([20 * HOUR, 10 * HOUR, HOUR], stored=stored(2 * HOUR, caught_up=HOUR), unknown_from="oldest")
    async with setup.publishing() as publisher:
        await setup.to_the_end(publisher)
    assert list(await setup.stored()) == ids(setup)
    (gap,) = await setup.gaps()
    assert gap.span is None


# How often Auth0 is asked.


async def test_no_entry_is_asked_for_page_by_page_in_a_catch_up(setup_of: SetupOf) -> None:
    """Entries of 20 hours, ten minutes and more apart, read from the beginning."""
    setup = await setup_of([20 * HOUR - 700 * number for number in range(100)])
    async with setup.publishing() as publisher:
        await setup.to_the_end(publisher)
    assert list(await setup.stored()) == ids(setup)
    assert [seen.path for seen in setup.tenant.requests if seen.path.startswith("/api/v2/logs/")] == []


async def test_no_entry_is_asked_for_where_every_page_begins_with_the_checkpoint(setup_of: SetupOf) -> None:
    setup = await setup_of([HOUR - number for number in range(100)])
    last: list[bytes] = []

    def overlapping(raws: list[bytes]) -> list[bytes]:
        page = [*last, *raws]
        last[:] = raws[-1:] or last
        return page

    setup.tenant.faults.add(entries_of(overlapping), when=lambda request: "from=" in request.target, times=5)
    async with setup.publishing() as publisher:
        await setup.to_the_end(publisher)
    assert list(await setup.stored()) == ids(setup)
    assert [seen.path for seen in setup.tenant.requests if seen.path.startswith("/api/v2/logs/")] == []
    assert await setup.gaps() == []


async def test_an_old_checkpoint_that_auth0_still_has_is_asked_for_once(setup_of: SetupOf) -> None:
    setup = await setup_of([20 * HOUR, 19 * HOUR, HOUR])
    first = setup.events[0]
    assert await setup.log.set_checkpoint(Checkpoint(log_id=first.log_id, date=first.date), lambda _: True)
    async with setup.publishing() as publisher:
        await setup.to_the_end(publisher)
        await setup.to_the_end(publisher)
    assert list(await setup.stored()) == ids(setup)[1:]
    assert sum(seen.path.startswith("/api/v2/logs/") for seen in setup.tenant.requests) == 1
    assert await setup.gaps() == []


# When Auth0 had nothing newer.


async def test_a_quiet_poller_stores_now_and_then_that_it_is_caught_up(
    setup_of: SetupOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup = await setup_of([HOUR])
    async with setup.publishing() as publisher:
        watched = WatchedPublisher(publisher)
        await setup.to_the_end(watched)
        after = watched.publishes
        for _ in range(5):
            await setup.to_the_end(watched)
        assert watched.publishes == after
        monkeypatch.setattr("producer.poller._CAUGHT_UP_EVERY", 0.0)
        await setup.to_the_end(watched)
        assert watched.publishes == after + 1
    checkpoint = await setup.log.checkpoint()
    assert checkpoint is not None
    assert checkpoint.caught_up == pytest.approx(time.time(), abs=60)
    assert checkpoint.log_id == ids(setup)[0]
