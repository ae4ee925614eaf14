"""START_FROM where Auth0 is not there at once, or moves while the place is looked for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.start_from import StartFrom
from simulator.faults import HttpFault
from simulator.tenant import Tenant
from simulator.wire import HttpResponse
from tests.integration.odd_cases import body, changed, entries_of
from tests.integration.pollers import APPLICATION, PollerSetup, WatchedPublisher, entries, log_id
from tests.support import faults, tenant_faults
from tests.support.listed_log import ListedLog

NOW = datetime(2026, 11, 30, tzinfo=UTC)
DAY = datetime(2026, 11, 20, tzinfo=UTC)


def dated_id(number: int, *, hour: int | None = None) -> str:
    """Of an entry that happened at this hour and reached the log at once, or as the `number`-th."""
    arrived = DAY + (timedelta(hours=number) if hour is None else timedelta(hours=hour, seconds=number))
    return f"900{arrived:%Y%m%d%H%M%S}{number:039}"


def dated(number: int, *, hour: int | None = None) -> bytes:
    date = DAY + timedelta(hours=number if hour is None else hour)
    return json.dumps({"log_id": dated_id(number, hour=hour), "type": "s", "date": date.isoformat()}).encode()


@asynccontextmanager
async def setup_of(path: Path, log: ListedLog | None = None) -> AsyncIterator[PollerSetup]:
    tenant = Tenant(log or entries(0, 61), application=APPLICATION)
    await tenant.start()
    setup = PollerSetup(tenant, path / "log.db")
    try:
        yield setup
    finally:
        await setup.log.close()
        await tenant.stop()


@pytest.mark.parametrize("text", ["now", log_id(40), "2026-11-19"])
@pytest.mark.parametrize(
    "fault",
    [faults.status(503), faults.status(429, headers=(("Retry-After", "7"),)), tenant_faults.html(), faults.status(200)],
    ids=["503", "429", "html", "empty"],
)
async def test_a_start_that_auth0_does_not_answer_at_once_is_tried_again(tmp_path: Path, text: str, fault: HttpFault) -> None:
    async with setup_of(tmp_path) as setup:
        setup.restart(start=StartFrom.parse(text, NOW))
        setup.tenant.faults.in_order(fault, fault)
        async with setup.publishing() as publisher:
            for _ in range(2):
                assert (await setup.poller.turn(publisher))[1] > 0
                assert setup.checkpoint is None
            await setup.to_the_end(publisher)
        numbers = {"now": range(0), log_id(40): range(41, 61)}.get(text, range(61))
        assert list(await setup.stored()) == [log_id(number) for number in numbers]


async def test_the_lease_is_kept_while_auth0_makes_a_start_wait(tmp_path: Path) -> None:
    async with setup_of(tmp_path) as setup:
        setup.restart(start=StartFrom.parse("now", NOW))
        setup.tenant.faults.in_order(faults.status(429, headers=(("Retry-After", "7"),)))
        async with setup.publishing() as publisher:
            watched = WatchedPublisher(publisher)
            assert (await setup.poller.turn(watched))[1] > 7
            assert setup.poller.leading
            await setup.to_the_end(watched)
        assert watched.acquisitions == 1
        assert await setup.stored() == {}


async def test_a_search_whose_entry_is_removed_meanwhile_begins_anew(tmp_path: Path) -> None:
    """The retention moves on: what the search found is gone when the log is read on from there."""
    log = ListedLog(dated(hour) for hour in range(40))

    def forget(response: HttpResponse) -> HttpResponse:
        log.forget(20)
        return response

    async with setup_of(tmp_path, log) as setup:
        setup.restart(start=StartFrom.parse("2026-11-20T10:00Z", NOW))
        setup.tenant.faults.in_order(changed("forget", forget))
        async with setup.publishing() as publisher:
            await setup.to_the_end(publisher)
        assert list(await setup.stored()) == [dated_id(hour) for hour in range(20, 40)]
        assert await setup.gaps() == []


@pytest.mark.parametrize("oddity", ["again", "reversed", "no link", "leads on"])
async def test_a_search_over_odd_pages_ends(tmp_path: Path, oddity: str) -> None:
    """Late entries behind the date make it read on, from the last one that surely stands before the date."""
    late = [dated(30 + number, hour=9) for number in range(130)]
    log = ListedLog([*map(dated, range(9)), *late, *(dated(200 + hour, hour=10 + hour) for hour in range(20))])
    odd = {
        "again": body("again", lambda _: b"[" + dated(8) + b"]"),
        "reversed": entries_of(lambda raws: raws[::-1]),
        "no link": tenant_faults.without_link(),
        "leads on": body("empty", lambda _: b"[]"),
    }[oddity]
    async with setup_of(tmp_path, log) as setup:
        setup.restart(start=StartFrom.parse("2026-11-20T10:00Z", NOW))
        setup.tenant.faults.add(odd, when=lambda request: "from=" in request.target, times=1)
        async with setup.publishing() as publisher, asyncio.timeout(20):
            waits = await setup.to_the_end(publisher)
        assert bool(waits[0]) == (oddity == "again")
        assert list(await setup.stored()) == [dated_id(200 + hour, hour=10 + hour) for hour in range(20)]


@pytest.mark.parametrize("page", [b"[" + dated(8) + b"]", b"[" + dated(3) + b"]"], ids=["the same", "before it"])
async def test_a_search_that_does_not_get_on_waits_between_its_tries(tmp_path: Path, page: bytes) -> None:
    async with setup_of(tmp_path, ListedLog([*map(dated, range(9)), *(dated(20 + n, hour=9) for n in range(9))])) as setup:
        setup.restart(start=StartFrom.parse("2026-11-20T09:00Z", NOW))
        setup.tenant.faults.add(body("again", lambda _: page), when=lambda request: "from=" in request.target)
        async with setup.publishing() as publisher:
            assert [(await setup.poller.turn(publisher))[1] for _ in range(4)] == [1, 2, 4, 8]
            setup.tenant.faults.clear()
            await setup.to_the_end(publisher)
        assert len(await setup.stored()) == 9


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"<html>", b'{"log_id":"9009"}'])
async def test_an_entry_that_is_none_is_asked_for_again(tmp_path: Path, body: bytes) -> None:
    async with setup_of(tmp_path) as setup:
        setup.restart(start=StartFrom.parse(log_id(40), NOW))
        setup.tenant.faults.in_order(faults.status(200, body=body))
        async with setup.publishing() as publisher:
            assert (await setup.poller.turn(publisher))[1] > 0
            await setup.to_the_end(publisher)
        assert list(await setup.stored()) == [log_id(number) for number in range(41, 61)]
