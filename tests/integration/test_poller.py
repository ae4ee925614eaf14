"""The poller between a tenant on the loopback and a real log: every event once, in order, whatever goes wrong in between.

Most turns are made by hand, so that the waits between them are looked at and not waited for.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from structlog.testing import capture_logs

from producer.privacy.entry import Privacy
from shared.errors import CredentialsRefused, LeaseLost, ScopeMissing, TransportUnusable, WebhooksError
from shared.event import Event, slice_page
from shared.transport.port import Publisher
from shared.transport.sqlite.transport import SqliteTransport
from shared.words import PiiField, PiiMode
from simulator.entries import Entries
from simulator.faults import HttpFault
from simulator.rate_limit import RatePlan
from simulator.tenant import Tenant
from simulator.tenant_log import GeneratedLog, TenantLog
from simulator.wire import HttpResponse
from tests.integration.odd_cases import leading_to
from tests.integration.pollers import APPLICATION, PollerSetup, WatchedPublisher, entries, entry, log_id
from tests.support import faults, tenant_faults
from tests.support.listed_log import ListedLog

SetupOf = Callable[..., Awaitable[PollerSetup]]

#: Where nothing listens.
ELSEWHERE: Final = "http://127.0.0.1:9"
FAULTS: Final = (
    faults.status(500),
    faults.status(503, body=b"<html>"),
    faults.status(404, body=b'{"message":"no"}'),
    faults.status(429, headers=(("Retry-After", "7"),)),
    faults.status(401),
    faults.status(403, body=b"<html>"),
    faults.redirect(ELSEWHERE),
    faults.close(),
    faults.cut_headers(),
    faults.short_body(),
    faults.reset_before_headers(),
    faults.reset_after_headers(),
    faults.respond_and_close(),
    tenant_faults.html(),
    tenant_faults.json_object(),
    tenant_faults.truncated_json(),
    tenant_faults.without_id(),
    tenant_faults.foreign_link(ELSEWHERE),
    tenant_faults.without_link(),
)


@pytest.fixture
async def setup_of(tmp_path: Path) -> AsyncIterator[SetupOf]:
    """Makes the setup around a tenant's log; without one it has 230 entries as they come, a third of them edge cases."""
    setups: list[PollerSetup] = []

    async def make(log: TenantLog | None = None, *, seed: int = 0, **options: Any) -> PollerSetup:
        log = log or GeneratedLog(origin=time.time(), backlog=230, entries=Entries(seed=seed, edge_cases=0.3))
        tenant = Tenant(log, application=APPLICATION, seed=seed, **options)
        await tenant.start()
        setups.append(PollerSetup(tenant, tmp_path / f"log-{len(setups)}.db"))
        return setups[-1]

    yield make
    for setup in setups:
        await setup.log.close()
        await setup.tenant.stop()


def reordered(order: Callable[[list[bytes]], list[bytes]]) -> HttpFault:
    """The usual page, its entries in another order."""

    def change(response: HttpResponse) -> HttpResponse:
        raws = order([event.raw for event in slice_page(response.body)])
        return HttpResponse(response.status, b"[" + b",".join(raws) + b"]", response.headers)

    return HttpFault(name="reordered", change=change)


# Nothing lost, nothing twice.


async def test_every_event_is_stored_once_and_counted(setup_of: SetupOf) -> None:
    setup = await setup_of()
    async with setup.publishing() as publisher:
        assert set(await setup.to_the_end(publisher)) == {0.0}
    await setup.has_all_in_order()
    assert setup.poller.counts.unknown_types > 0
    assert len(setup.poller.counts.filtered) == 2


async def test_personal_data_is_hidden_in_everything_that_is_stored(setup_of: SetupOf) -> None:
    raw = b'{"log_id":"%s","type":"s","user_id":"email|canary@example.com","user_name":"canary@example.com"}' % log_id(1).encode()
    setup = await setup_of(ListedLog([raw]))
    privacy = Privacy(mode=PiiMode.MASK, fields=frozenset({PiiField.EMAIL}), key=b"a key of the tests")
    setup.restart(hide=privacy.apply)
    async with setup.publishing() as publisher:
        await setup.to_the_end(publisher)
    with closing(sqlite3.connect(setup.path)) as file:
        assert "canary" not in "\n".join(file.iterdump())
        ((stored,),) = file.execute("SELECT value FROM record").fetchall()
    assert b'"user_name":"c***@e***.com"' in stored


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_one_kind_of_trouble(setup_of: SetupOf, fault: HttpFault) -> None:
    """Once, then twice in a row, then later again; each failed turn is followed by a wait."""
    setup = await setup_of()
    setup.tenant.faults.in_order(None, None, fault, None, None, None, fault, fault)
    setup.tenant.faults.in_order(*[None] * 5, fault)
    async with setup.publishing() as publisher:
        waits = await setup.to_the_end(publisher)
    await setup.has_all_in_order()
    assert setup.tenant.faults.fired[fault.name] == 4
    assert waits.count(0.0) == 13  # the oldest entry, and twelve pages of the others


@pytest.mark.parametrize("seed", range(4))
async def test_all_kinds_of_trouble_at_random(setup_of: SetupOf, seed: int) -> None:
    setup = await setup_of(seed=seed)
    setup.tenant.faults.in_order(None)  # refused credentials at the very start would be the end
    setup.tenant.faults.sometimes(0.5, *FAULTS)
    setup.tenant.token_faults.in_order(None)
    setup.tenant.token_faults.sometimes(0.5, faults.status(500), faults.status(429), tenant_faults.html(), faults.close())
    async with setup.publishing() as publisher:
        await setup.to_the_end(publisher)
    await setup.has_all_in_order()
    assert len(setup.tenant.faults.fired) > 3


async def test_restarts_lose_nothing(setup_of: SetupOf) -> None:
    setup = await setup_of()
    fetched = 0
    for _ in range(4):
        async with setup.publishing() as publisher:
            for _ in range(3):
                await setup.poller.turn(publisher)
        fetched += setup.poller.counts.fetched
        setup.restart()
    async with setup.publishing() as publisher:
        await setup.to_the_end(publisher)
    assert await setup.stored() == setup.truth[0]
    assert fetched + setup.poller.counts.fetched == 230


async def test_an_entry_that_comes_late_is_stored(setup_of: SetupOf) -> None:
    setup = await setup_of(log := entries(0, 30))
    async with setup.publishing() as publisher:
        await setup.to_the_end(publisher)
        log.append(entry(30, date="2026-11-01T00:00:00.000Z"))
        await setup.to_the_end(publisher)
    await setup.has_all_in_order()


# The checkpoint.


async def test_an_empty_page_keeps_the_checkpoint_and_is_asked_for_again(setup_of: SetupOf) -> None:
    setup = await setup_of(log := entries(0, 5))
    async with setup.publishing() as publisher:
        await setup.to_the_end(publisher)
        for _ in range(2):
            assert await setup.poller.turn(publisher) == (True, 60)
            assert setup.checkpoint == log_id(4)
        assert setup.asked[2:] == [f"from={log_id(4)}&take=20"] * 3
        log.append(entry(5))
        assert await setup.poller.turn(publisher) == (False, 0)
    await setup.has_all_in_order()


async def test_a_log_without_entries_has_no_checkpoint(setup_of: SetupOf) -> None:
    setup = await setup_of(log := ListedLog())
    async with setup.publishing() as publisher:
        assert await setup.poller.turn(publisher) == (True, 60)
        assert setup.checkpoint is None
        log.append(entry(0))
        assert await setup.poller.turn(publisher) == (False, 0)
        assert setup.checkpoint == log_id(0)


async def test_pages_in_which_everything_is_filtered_out_move_the_checkpoint(setup_of: SetupOf) -> None:
    setup = await setup_of(entries(0, 50, kind="sapi"))
    async with setup.publishing() as publisher:
        for last in (0, 20, 40, 49):
            assert await setup.poller.turn(publisher) == (False, 0)
            assert setup.checkpoint == log_id(last)
    assert await setup.stored() == {}
    assert setup.poller.counts.filtered == {"management API": 50}


LIMITS: Final[dict[str, tuple[str, str]]] = {
    "another program holds the file": ("PRAGMA busy_timeout=20", "PRAGMA busy_timeout=20"),
    "the disk is full": ("PRAGMA max_page_count=1", "PRAGMA max_page_count=1000000"),
}


@pytest.mark.parametrize("how", LIMITS)
async def test_what_cannot_be_stored_leaves_the_checkpoint_and_is_tried_again(setup_of: SetupOf, how: str) -> None:
    setup = await setup_of()
    tight, roomy = LIMITS[how]
    async with setup.publishing() as publisher:
        for _ in range(3):
            await setup.poller.turn(publisher)
        before, fetched = setup.checkpoint, setup.poller.counts.fetched
        await publisher._file.run(lambda connection: connection.execute(tight).fetchall())
        with closing(sqlite3.connect(setup.path, isolation_level=None)) as other:
            if "holds" in how:
                other.execute("BEGIN IMMEDIATE")
            with capture_logs() as lines:
                assert [await setup.poller.turn(publisher) for _ in range(3)] == [(False, 1), (False, 2), (False, 4)]
        assert [line["event"] for line in lines if line["log_level"] == "error"] == ["polling failed, the checkpoint stays"] * 3
        assert (setup.checkpoint, setup.poller.counts.fetched) == (before, fetched)
        await publisher._file.run(lambda connection: connection.execute(roomy).fetchall())
        await setup.to_the_end(publisher)
    await setup.has_all_in_order()


# Pages that are odd.


async def test_an_id_that_is_twice_on_a_page_is_stored_once(setup_of: SetupOf) -> None:
    setup = await setup_of(entries(0, 41))
    setup.tenant.faults.in_order(None, reordered(lambda raws: [*raws[:5], *raws[2:]]))
    async with setup.publishing() as publisher:
        with capture_logs() as lines:
            await setup.to_the_end(publisher)
    assert list(await setup.stored()) == [log_id(number) for number in range(41)]
    assert [line["log_level"] for line in lines if "do not ascend" in line["event"]] == ["warning"]
    assert setup.poller.counts.published == 41


async def test_a_page_whose_ids_do_not_ascend_is_stored_as_it_is(setup_of: SetupOf) -> None:
    setup = await setup_of(entries(0, 41))
    setup.tenant.faults.in_order(None, reordered(lambda raws: raws[::-1]))
    async with setup.publishing() as publisher:
        with capture_logs() as lines:
            assert await setup.poller.turn(publisher) == (False, 0)
            assert await setup.poller.turn(publisher) == (False, 0)
            assert setup.checkpoint == log_id(1)
        await setup.to_the_end(publisher)
    assert list(await setup.stored()) == [log_id(number) for number in (0, *range(20, 0, -1), *range(21, 41))]
    assert sum("do not ascend" in line["event"] for line in lines) == 1


@pytest.mark.parametrize("number", [0, 10, 45, 70], ids=["the same page", "into the page", "past entries", "past the end"])
async def test_a_link_that_does_not_follow_its_page_is_not_followed(setup_of: SetupOf, number: int) -> None:
    """A circle of links would be gone round without end and without a pause; one that leads on would pass over entries."""
    setup = await setup_of(entries(0, 60))
    setup.tenant.faults.in_order(None, leading_to(number), leading_to(number))
    async with setup.publishing() as publisher:
        with capture_logs() as lines:
            assert set(await setup.to_the_end(publisher)) == {0}
    await setup.has_all_in_order()
    assert sum("does not follow this one" in line["event"] for line in lines) == 1


async def test_a_tenant_that_returns_for_an_unknown_id_its_oldest_entries(setup_of: SetupOf) -> None:
    setup = await setup_of(log := entries(0, 60), unknown_from="oldest")
    async with setup.publishing() as publisher:
        for _ in range(2):
            await setup.poller.turn(publisher)
        await setup.poller._forget_ahead()
        log.forget(30)
        await setup.to_the_end(publisher)
    assert list(await setup.stored()) == [log_id(number) for number in (*range(21), *range(30, 60))]


# The next page is fetched ahead.


async def test_a_page_is_fetched_ahead_and_published_after_the_one_before_it(setup_of: SetupOf) -> None:
    setup = await setup_of(entries(0, 61))
    async with setup.publishing() as publisher:
        watched = WatchedPublisher(publisher)
        for _ in range(2):
            await setup.poller.turn(watched)
        assert setup.poller._ahead is not None
        await setup.poller._ahead  # nothing of it is stored
        assert list(await setup.stored()) == [log_id(number) for number in range(21)]
        await setup.to_the_end(watched)
    await setup.has_all_in_order()


async def test_a_page_that_was_fetched_ahead_is_dropped_when_the_one_before_it_is_not_stored(setup_of: SetupOf) -> None:
    setup = await setup_of(entries(0, 61))
    async with setup.publishing() as publisher:
        await setup.poller.turn(publisher)
        with closing(sqlite3.connect(setup.path)) as file:
            file.execute("ALTER TABLE record RENAME TO elsewhere")
            assert (await setup.poller.turn(publisher))[1] > 0
            assert setup.poller._ahead is None
            file.execute("ALTER TABLE elsewhere RENAME TO record")
        await setup.to_the_end(publisher)
    await setup.has_all_in_order()


# Waiting.


async def test_waits_grow_to_a_minute_and_begin_anew_after_a_page(setup_of: SetupOf) -> None:
    setup = await setup_of()
    for jitter, first in ((1.0, 1.0), (0.0, 0.5)):
        setup.restart(jitter=jitter)
        setup.tenant.faults.add(faults.status(500), times=8)
        async with setup.publishing() as publisher:
            waits = [(await setup.poller.turn(publisher))[1] for _ in range(9)]
            assert waits == [*(first * factor for factor in (1, 2, 4, 8, 16, 32, 60, 60)), 0]
            await setup.poller._forget_ahead()
            setup.tenant.faults.add(faults.status(500), times=1)
            assert (await setup.poller.turn(publisher))[1] == first


async def test_a_limit_of_one_request_is_kept_without_a_refusal(setup_of: SetupOf) -> None:
    """One request in 1.25 s: one that comes too early is refused."""
    setups = [await setup_of(entries(0, 1), plan=RatePlan(1, 0.8), retry_after=retry_after) for retry_after in (True, False)]
    await asyncio.gather(*(setup.poller.run(setup.log, asyncio.Event(), once=True) for setup in setups))
    for setup in setups:
        assert [seen.status for seen in setup.tenant.requests] == [200, 200, 200]
        await setup.has_all_in_order()


@pytest.mark.parametrize("plan", [RatePlan(50, 40), RatePlan(10, 25), RatePlan(2, 20)], ids=str)
async def test_a_catch_up_is_never_refused_and_leaves_a_fifth_of_the_burst(setup_of: SetupOf, plan: RatePlan) -> None:
    setup = await setup_of(entries(0, 1400), plan=plan)
    await setup.poller.run(setup.log, asyncio.Event(), once=True)
    assert {seen.status for seen in setup.tenant.requests} == {200}
    await setup.has_all_in_order()


async def test_after_a_429_the_same_page_is_asked_for(setup_of: SetupOf) -> None:
    setup = await setup_of()
    setup.tenant.faults.in_order(None, None, faults.status(429, headers=(("Retry-After", "7"),)))
    async with setup.publishing() as publisher:
        turns = [await setup.poller.turn(publisher) for _ in range(3)]
        assert turns == [(False, 0), (False, 0), (False, pytest.approx(7 * 1.1))]  # with the most jitter
        await setup.to_the_end(publisher)
    assert setup.asked[2] == setup.asked[3]
    await setup.has_all_in_order()


# People have to act.


@pytest.mark.parametrize(
    ("change", "error"),
    [({"client_secret": "another"}, CredentialsRefused), ({"scope": ""}, ScopeMissing)],
    ids=["secret", "scope"],
)
async def test_what_a_person_has_to_do_ends_a_start_and_later_is_waited_for(
    setup_of: SetupOf, change: dict[str, str], error: type[WebhooksError]
) -> None:
    setup = await setup_of()
    setup.tenant.tokens.application = replace(APPLICATION, **change)  # type: ignore[arg-type]
    with pytest.raises(error):
        await setup.poller.run(setup.log, asyncio.Event())
    setup.restart()
    setup.tenant.tokens.application = APPLICATION
    async with setup.publishing() as publisher:
        await setup.poller.turn(publisher)
        setup.tenant.tokens.application = replace(APPLICATION, **change)  # type: ignore[arg-type]
        setup.tenant.tokens.revoke()
        assert [await setup.poller.turn(publisher) for _ in range(2)] == [(False, 1), (False, 2)]
        setup.tenant.tokens.application = APPLICATION
        setup.ahead = 301  # a token that lacks the scope is not kept for its whole day
        await setup.to_the_end(publisher)
    await setup.has_all_in_order()


async def test_a_second_poller_of_the_same_log_is_refused(setup_of: SetupOf) -> None:
    setup = await setup_of()
    async with setup.publishing() as publisher:
        await setup.poller.turn(publisher)
        setup.restart()
        with pytest.raises(TransportUnusable, match="already has a poller"):
            await setup.poller.run(setup.log, asyncio.Event())


# Stopping.


@pytest.mark.parametrize(
    "fault", [faults.hang_before_headers(), faults.hang_after_headers(), faults.drip(0.05)], ids=lambda f: f.name
)
async def test_a_stop_breaks_off_a_request_at_once(setup_of: SetupOf, fault: HttpFault) -> None:
    setup = await setup_of()
    setup.tenant.faults.in_order(None, fault)
    async with setup.running():
        await setup.until_asked(2)
    assert setup.checkpoint == setup.events[0].log_id


async def test_a_stop_breaks_off_the_request_for_a_token(setup_of: SetupOf) -> None:
    setup = await setup_of()
    setup.tenant.token_faults.add(faults.hang_before_headers())
    async with setup.running(), asyncio.timeout(5):
        while not setup.tenant.requests:  # noqa: ASYNC110  nothing announces it
            await asyncio.sleep(0.005)
    assert setup.asked == []


@pytest.mark.parametrize(
    "fault",
    [None, faults.status(500), faults.status(429, headers=(("Retry-After", "200"),))],
    ids=["the end of the log", "500", "429"],
)
async def test_a_stop_breaks_off_every_wait_at_once(setup_of: SetupOf, fault: HttpFault | None) -> None:
    setup = await setup_of(entries(0, 1))
    setup.tenant.faults.in_order(None, fault)
    async with setup.running():
        await setup.until_asked(2)
        await asyncio.sleep(0.02)  # the response has come, and the wait has begun
    assert len(setup.asked) == 2


async def test_a_log_that_does_not_take_a_page_holds_up_no_stop(setup_of: SetupOf, monkeypatch: pytest.MonkeyPatch) -> None:
    """On Kafka a page to a silent broker has 35 s; that was waited for, beyond every grace."""
    monkeypatch.setattr("producer.poller._LAST_PAGE", 0.05)
    setup, stop = await setup_of(), asyncio.Event()
    async with setup.publishing() as publisher:
        silent = WatchedPublisher(publisher)
        silent.hangs = True

        class Silent(SqliteTransport):
            async def publisher(self) -> Publisher:
                return silent

        running = asyncio.create_task(setup.poller.run(Silent(setup.path, retention_days=1), stop))
        await silent.publishing.wait()
        stop.set()
        async with asyncio.timeout(10):
            await running
    assert setup.checkpoint is None
    assert not await setup.stored()
    setup.restart()
    async with setup.publishing() as publisher:
        await setup.to_the_end(publisher)
    await setup.has_all_in_order()


async def test_once_ends_at_an_empty_page(setup_of: SetupOf) -> None:
    setup = await setup_of()
    for asked in (14, 15):
        async with asyncio.timeout(5):
            await setup.poller.run(setup.log, asyncio.Event(), once=True)
        assert len(setup.asked) == asked
        assert await setup.stored() == setup.truth[0]
        setup.restart()


# The lease.


@pytest.fixture
def often_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.waiting.MEANWHILE_EVERY", 0.05)


@pytest.mark.usefixtures("often_renewed")
async def test_the_lease_is_renewed_while_a_page_is_long_in_coming(setup_of: SetupOf) -> None:
    """A token and a page that both take their whole deadline would outlast it."""
    setup = await setup_of()
    async with setup.publishing() as real:
        publisher = WatchedPublisher(real)
        await setup.poller.turn(publisher)
        setup.tenant.faults.add(faults.slow(0.3), times=1)
        assert await setup.poller.turn(publisher) == (False, 0)
        assert publisher.renewals >= 3


@pytest.mark.usefixtures("often_renewed")
async def test_the_lease_is_renewed_while_personal_data_is_hidden_in_large_entries(setup_of: SetupOf) -> None:
    def slowly(event: Event) -> Event:
        time.sleep(0.1)  # of the event loop's own time
        return event

    setup = await setup_of(entries(0, 21))
    setup.restart(hide=slowly)
    async with setup.publishing() as publisher:
        watched = WatchedPublisher(publisher)
        await setup.poller.turn(watched)
        await setup.poller.turn(watched)
        assert watched.renewals > 0
        await setup.to_the_end(watched)
    assert len(await setup.stored()) == 21


async def test_a_lease_that_is_lost_while_a_page_is_fetched_ends_the_fetching(setup_of: SetupOf) -> None:
    setup = await setup_of()
    async with setup.publishing() as real:
        publisher = WatchedPublisher(real)
        await setup.poller.turn(publisher)
        setup.tenant.faults.add(faults.hang_before_headers(), times=1)
        publisher.renewal_error = LeaseLost("another")
        assert await setup.poller.turn(publisher) == (False, 0)
        await setup.to_the_end(publisher)
        assert publisher.acquisitions == 2
    await setup.has_all_in_order()


@pytest.mark.usefixtures("often_renewed")
@pytest.mark.parametrize("error", [LeaseLost("another"), TransportUnusable("no right")], ids=repr)
async def test_a_lease_that_is_lost_while_waiting_is_asked_for_again(setup_of: SetupOf, error: Exception) -> None:
    """A right that was taken away in the middle of a wait once ended the process."""
    setup = await setup_of(entries(0, 3))
    async with setup.publishing() as real:
        publisher = WatchedPublisher(real)
        await setup.to_the_end(publisher)
        publisher.renewal_error = error
        async with asyncio.timeout(2):
            await setup.poller._wait(publisher, 60)
        assert await setup.poller.turn(publisher) == (True, 60)
        assert publisher.acquisitions == 2
