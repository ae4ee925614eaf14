"""Every odd thing that Auth0 can give, by the poller against a tenant on the loopback, and the table of them in docs/auth0.md."""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest
import trustme
from structlog.testing import capture_logs

from shared.errors import EnvironmentUnusable, GapFound
from shared.words import GapPolicy
from simulator.faults import HttpFault
from simulator.rate_limit import RatePlan
from simulator.tenant import Tenant
from simulator.wire import HttpResponse
from tests.integration.odd_cases import BODY_CAP, CASES, DEADLINE, OddCase, changed
from tests.integration.pollers import APPLICATION, PollerSetup, entries, log_id
from tests.support.listed_log import ListedLog

DOCS: Final = Path(__file__).parents[2] / "docs/auth0.md"
COUNT: Final = 61
#: Rows of the table that another test proves: a tenant with TLS, a clock, what a lost id gets.
ELSEWHERE: Final = {"a certificate that is not trusted": "retry", "a clock that jumps": "taken"}


@asynccontextmanager
async def setup_of(path: Path, log: ListedLog | None = None, plan: RatePlan | None = None) -> AsyncIterator[PollerSetup]:
    tenant = Tenant(log or entries(0, COUNT), application=APPLICATION, plan=plan)
    await tenant.start()
    setup = PollerSetup(tenant, path / "log.db")
    setup.restart(deadline=DEADLINE, body_cap=BODY_CAP)
    try:
        yield setup
    finally:
        await setup.log.close()
        await tenant.stop()


def _break(setup: PollerSetup, case: OddCase, times: int) -> None:
    script = setup.tenant.token_faults if case.at_token else setup.tenant.faults
    script.in_order(*[case.fault] * times)


async def _all_stored(setup: PollerSetup) -> None:
    assert sorted(await setup.stored()) == [log_id(number) for number in range(COUNT)]
    assert setup.checkpoint == log_id(COUNT - 1)


@pytest.mark.parametrize("case", [case for case in CASES if case.kind != "fatal"], ids=lambda case: case.name)
async def test_it_is_taken_or_tried_again_and_nothing_is_lost(tmp_path: Path, case: OddCase) -> None:
    async with setup_of(tmp_path) as setup, setup.publishing() as publisher:
        if case.at_token:
            before = None
        else:
            assert await setup.poller.turn(publisher) == (False, 0)
            before = log_id(0)
        _break(setup, case, 1)
        with capture_logs() as lines:
            caught_up, wait = await setup.poller.turn(publisher)
        assert not caught_up
        assert (wait > 0) == (case.kind == "retry")
        assert (setup.checkpoint == before) == (case.kind == "retry")
        assert case.seen in str(lines)
        await setup.to_the_end(publisher)
        await _all_stored(setup)
        assert setup.tenant.count("/oauth/token") == 1 + (case.kind == "refresh") + (case.at_token and case.kind == "retry")


@pytest.mark.parametrize("case", [case for case in CASES if case.kind == "fatal"], ids=lambda case: case.name)
async def test_what_a_person_has_to_mend_ends_a_start_and_later_is_waited_for(tmp_path: Path, case: OddCase) -> None:
    async with setup_of(tmp_path) as setup:
        _break(setup, case, 2)
        async with setup.publishing() as publisher:
            with pytest.raises(EnvironmentUnusable, match=re.escape(case.seen)):
                await setup.poller.turn(publisher)
        setup.tenant.faults.clear()
        setup.tenant.token_faults.clear()
        setup.restart(deadline=DEADLINE, body_cap=BODY_CAP)
        async with setup.publishing() as publisher:
            assert await setup.poller.turn(publisher) == (False, 0)
            setup.tenant.tokens.revoke()
            _break(setup, case, 2)
            with capture_logs() as lines:
                assert (await setup.poller.turn(publisher))[1] > 0
            assert case.seen in str(lines)
            setup.tenant.faults.clear()
            setup.tenant.token_faults.clear()
            await setup.to_the_end(publisher)
        await _all_stored(setup)


async def test_an_empty_page_is_asked_for_again_before_its_link_is_followed(tmp_path: Path) -> None:
    """Its link may pass over what it lacks."""
    withheld = changed("withheld", lambda response: HttpResponse.json_bytes(200, b"[]", response.headers))
    async with setup_of(tmp_path) as setup, setup.publishing() as publisher:
        await setup.poller.turn(publisher)
        setup.tenant.faults.in_order(*[withheld] * 5)
        assert [await setup.poller.turn(publisher) for _ in range(5)] == [(False, 1)] * 5
        assert await setup.poller.turn(publisher) == (False, 0)
        assert setup.asked[-2] == f"from={log_id(0)}&take=20"
        assert await setup.gaps() == []
        await setup.to_the_end(publisher)
        await _all_stored(setup)


async def test_a_log_whose_empty_pages_lead_on_is_read_to_its_end(tmp_path: Path) -> None:
    """By the checkpoint alone it never gives an entry: only the link of the empty page does."""

    def empty(response: HttpResponse) -> HttpResponse:
        link = re.sub(r"from=\d+&take=20", f"from={log_id(0)}&take=20&part=2", response.header("Link") or "")
        return HttpResponse.json_bytes(200, b"[]", (("Link", link),))

    fault = HttpFault(name="empty", change=empty)
    async with setup_of(tmp_path) as setup, setup.publishing() as publisher:
        await setup.poller.turn(publisher)
        setup.tenant.faults.add(fault, when=lambda request: request.target.endswith(f"from={log_id(0)}&take=20"))
        waits = await setup.to_the_end(publisher)
        assert [wait for wait in waits if wait] == [1] * 6
        await _all_stored(setup)
        (gap,) = await setup.gaps()
        assert (gap.before, gap.after, gap.certain) == (log_id(0), log_id(1), False)


async def test_with_on_gap_stop_the_link_of_empty_pages_is_not_followed_past_the_checkpoint(tmp_path: Path) -> None:
    withheld = changed("withheld", lambda response: HttpResponse.json_bytes(200, b"[]", response.headers))
    async with setup_of(tmp_path) as setup:
        setup.restart(on_gap=GapPolicy.STOP)
        async with setup.publishing() as publisher:
            await setup.poller.turn(publisher)
            setup.tenant.faults.in_order(*[withheld] * 6)
            assert [await setup.poller.turn(publisher) for _ in range(6)] == [(False, 1)] * 6
            with pytest.raises(GapFound, match=f"after-{log_id(0)}"):
                await setup.poller.turn(publisher)
        assert setup.checkpoint == log_id(0)


async def test_empty_pages_without_end_are_looked_at_once_a_second(tmp_path: Path) -> None:
    numbers = iter(range(1_000_000))

    def empty(_: HttpResponse) -> HttpResponse:
        link = f'</api/v2/logs?from={log_id(500 + next(numbers))}&take=20>; rel="next"'
        return HttpResponse.json_bytes(200, b"[]", (("Link", link),))

    async with setup_of(tmp_path) as setup, setup.publishing() as publisher:
        await setup.poller.turn(publisher)
        setup.tenant.faults.add(HttpFault(name="empty", change=empty), times=40)
        assert {await setup.poller.turn(publisher) for _ in range(40)} == {(False, 1)}
        assert setup.checkpoint == log_id(0)


async def test_a_certificate_that_is_not_trusted_names_the_setting_and_costs_nothing_but_time(tmp_path: Path) -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    tenant = Tenant(entries(0, COUNT), application=APPLICATION, tls=context)
    await tenant.start()
    setup = PollerSetup(tenant, tmp_path / "log.db")
    async with setup.publishing() as publisher:
        with capture_logs() as lines:
            assert (await setup.poller.turn(publisher))[1] > 0
        assert "CERTIFICATE_VERIFY_FAILED" in str(lines)
        assert "AUTH0_CA_FILE" in str(lines)
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    setup.restart(tls=trust)
    async with setup.publishing() as publisher:
        await setup.to_the_end(publisher)
        await _all_stored(setup)
    await setup.log.close()
    await tenant.stop()


@pytest.mark.parametrize("jump", [3600, -3600])
async def test_a_clock_that_jumps_an_hour_costs_neither_a_token_nor_an_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump: int
) -> None:
    """The wall clock; what has to be waited for, and a token's age, go by the other one."""
    async with setup_of(tmp_path, plan=RatePlan(50, 20)) as setup, setup.publishing() as publisher:
        for _ in range(2):
            await setup.poller.turn(publisher)
        here = time.time
        monkeypatch.setattr(time, "time", lambda: here() + jump)
        began = time.monotonic()
        assert set(await setup.to_the_end(publisher)) <= {0.0}
        assert time.monotonic() - began < 30
        await _all_stored(setup)
        assert setup.tenant.count("/oauth/token") == 1
        assert {seen.status for seen in setup.tenant.requests} == {200}


def _rows() -> Iterator[tuple[str, str, str]]:
    """Of the table: case, kind, what is seen."""
    yield from re.findall(r"^\| (.+?) \| (taken|retry|refresh|gap|fatal) \| (.+) \|$", DOCS.read_text(), re.MULTILINE)


def test_the_table_of_the_documentation_has_every_case_and_no_other() -> None:
    rows = {name: (kind, seen) for name, kind, seen in _rows()}
    assert {name: kind for name, (kind, _) in rows.items() if kind != "gap"} == {
        case.name: case.kind for case in CASES
    } | ELSEWHERE
    assert len([kind for kind, _ in rows.values() if kind == "gap"]) > 2  # tests/integration/test_gaps.py
    unseen = [case.name for case in CASES if "expires_in" not in case.seen and case.seen not in rows[case.name][1]]
    assert unseen == []
