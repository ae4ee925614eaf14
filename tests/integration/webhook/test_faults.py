"""Our client against every way in which a receiver can misbehave: the status line decides, and the next call succeeds."""

from __future__ import annotations

import asyncio
import time

import pytest

from consumer.http import connection
from simulator.faults import HttpFault
from simulator.receiver import Receiver
from tests.integration.webhook.caller import Caller
from tests.integration.webhook.certificates import Certificates
from tests.support import faults, faults_floods, faults_malformed

AT_ONCE = [
    *(faults.status(code) for code in (201, 204, 304, 400, 408, 410, 429)),
    *(faults.status(code, body=b"x" * 1000) for code in (401, 500, 503, 999)),
    *(faults.redirect("/elsewhere", code) for code in (301, 302, 303, 307, 308)),
    faults.redirect("file:///etc/passwd"),
    faults.slow(0.02),
    faults.hang_before_headers(0.02),
    faults.hang_after_headers(0.02),
    faults.close(),
    faults.cut_headers(),
    faults.short_body(),
    faults.reset_before_headers(),
    faults.reset_after_headers(),
    faults.respond_and_close(),
    faults_malformed.garbage(),
    faults_malformed.no_head(),
    faults_malformed.no_status(),
    faults_malformed.two_lengths(),
    faults_malformed.negative_length(),
    faults_malformed.length_and_chunks(),
    faults_malformed.cut_chunk(),
    faults_malformed.until_close(),
    faults_malformed.http_1_0(),
    faults_malformed.bare_line_feeds(),
    faults_malformed.switching_protocols(),
    faults_malformed.two_responses(),
    faults_malformed.timeout_afterwards(),
    faults_floods.endless_body(),
    faults_floods.huge_body(),
    faults_floods.gzip_bomb(),
    faults_floods.header_flood(),
    faults_floods.long_header(),
    faults_floods.early_hints(),
]
SLOW = [
    faults.hang_before_headers(),
    faults.hang_after_headers(),
    faults.drip(0.05),
    faults_floods.drip_body(0.02),
    faults_floods.drip_headers(0.02),
]
MALFORMED = [
    faults_malformed.bad_chunk(),
    faults_malformed.long_body(),
    faults_malformed.bad_header(),
    faults_floods.endless_trailers(),
    faults_floods.informational_flood(),
]


@pytest.mark.parametrize("fault", AT_ONCE + MALFORMED, ids=lambda fault: fault.name)
async def test_the_status_line_decides(caller: Caller, receiver: Receiver, fault: HttpFault) -> None:
    assert (await caller.call("first")).status == 200
    receiver.script.in_order(fault)
    attempt = await caller.call("faulty")
    assert attempt.status == receiver.journal.all[1].status
    assert bool(attempt.problem) == (attempt.status is None)
    if fault.name == "timeout afterwards":  # a call that is sent before the 408 is read would take it for its response
        async with asyncio.timeout(20):
            while caller.webhook._connections:  # noqa: ASYNC110  the client has no event for it
                await asyncio.sleep(0.005)
    assert (await caller.call("next")).status == 200
    await caller.no_connections_left(receiver, most=1)
    assert {call.call.path for call in receiver.journal.all} == {"/"}


async def test_nothing_outlasts_the_deadline(
    receiver: Receiver, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "BODY_TIMEOUT", 60.0)  # so that only the deadline ends the calls
    receiver.script.in_order(*[None] * 5, *SLOW)
    async with Caller(receiver.url, timeout=1.5, tls=certificates.usual_client) as caller:
        assert all(attempt.status == 200 for attempt in await caller.calls(5))
        begun = time.monotonic()
        attempts = await caller.calls(5)
        assert 1.4 < time.monotonic() - begun < 10
        statuses = {call.call.log_id: call.status for call in receiver.journal.all[5:]}
        assert [attempt.status for attempt in attempts] == [statuses[str(number)] for number in range(5)]
        assert sorted(map(str, statuses.values())) == ["200", "200", "None", "None", "None"]
        assert all(attempt.timed_out == (attempt.status is None) for attempt in attempts)
        assert (await caller.call()).status == 200
    await caller.no_connections_left(receiver)
