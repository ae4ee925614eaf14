"""Several operators pause and resume at the same moment: each is told what holds, and who asked for it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path

from admin.actions.pause import change_delivery
from shared.documents import audit, desired
from shared.documents.desired import DesiredDelivery
from shared.documents.replica import BreakerReport, ReplicaDocument, ReplicaRole
from shared.words import BreakerState
from tests.integration.workers import log_in
from tests.unit.admin.test_status import consumer_report

CLOSED = BreakerReport(state=BreakerState.CLOSED, since=None, last_outcome="", probe_at=None)


def _replica(wanted: DesiredDelivery | None) -> ReplicaDocument:
    """Of a consumer that has taken this on."""
    report = consumer_report(CLOSED)
    if wanted:
        report = replace(report, desired=wanted.id, paused=wanted.paused)
    now = time.time()
    return ReplicaDocument(
        id="a:1:x",
        role=ReplicaRole.CONSUME,
        version="1",
        started=now,
        seen=now,
        counts={},
        rates={},
        consumer=report,
        poller=None,
    )


async def test_an_operator_who_was_overtaken_by_one_who_wants_the_same_waits_for_that_one(tmp_path: Path) -> None:
    """The first of two was told at once that "within 5 s" no consumer had followed, with exit code 3."""
    log = log_in(tmp_path)
    control = await log.control()
    await control.put(_replica(None).key, _replica(None).encode())
    ada = asyncio.create_task(change_delivery(log, paused=True, by="ada", why="x"))
    async with asyncio.timeout(20):
        while desired.KEY not in await control.snapshot():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    kims = DesiredDelivery.new(paused=True, by="kim", why="y", now=time.time())
    await control.put(desired.KEY, kims.encode())
    await asyncio.sleep(1.0)  # consumers look every second
    await control.put(_replica(kims).key, _replica(kims).encode())
    change = await ada
    assert (change.desired, change.ours, change.following, change.missing) == (kims, False, ("a:1:x",), ())
    await control.close()
    await log.close()


async def test_resume_ends_a_pause_that_consumers_hold_to_after_the_table_was_lost(tmp_path: Path) -> None:
    """It said that delivery is not paused, stored nothing, and the consumers stayed paused."""
    log = log_in(tmp_path)
    control = await log.control()
    lost = DesiredDelivery.new(paused=True, by="ada", why="x", now=time.time())
    await control.put(_replica(lost).key, _replica(lost).encode())
    change = await change_delivery(log, paused=False, by="kim", within=0.1)
    stored = desired.desired(await control.snapshot())
    assert change.ours
    assert stored is not None
    assert (stored.paused, stored.by) == (False, "kim")
    await control.close()
    await log.close()


async def test_words_that_are_cut_when_they_are_stored_are_not_those_of_another_operator(tmp_path: Path) -> None:
    """With a reason of 2,000 characters `pause` said that delivery was paused already, and the audit that it was overtaken."""
    log = log_in(tmp_path)
    change = await change_delivery(log, paused=True, by="ada\ud83d", why="x" * 2000)
    control = await log.control()
    entries = audit.entries(await control.snapshot())
    assert change.ours
    assert [one.result for one in entries] == ["0 follow, 0 do not"]
    await control.close()
    await log.close()
