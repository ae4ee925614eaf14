"""Records that were gone before delivery: one report each, whatever the table does meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

from consumer.record_gaps import RecordGaps
from shared.documents.gap import LONGEST_KEPT, GapDocument, GapKind, gaps
from shared.errors import PublishFailed
from shared.transport.port import Table
from shared.transport.sqlite.file import File
from shared.transport.sqlite.tables import CONTROL, SqliteTable
from tests.integration.workers import log_in, worker


async def _seen(table: Table) -> list[GapDocument]:
    return gaps(await table.snapshot())


async def test_what_the_member_tells_the_worker_is_on_record_once(tmp_path: Path) -> None:
    log, one = log_in(tmp_path), worker("http://127.0.0.1:9")
    one.gaps.replica = "host:1:ab"
    table = await log.control()
    for _ in range(3):  # as at each rebalance before a commit
        one.removed(2, range(5, 9), was_committed=True)
        one.removed(3, range(4), was_committed=False)
        for reader in one.control_readers:
            await reader.read(table, await table.snapshot())
    found = {gap.kind: gap for gap in await _seen(table)}
    await table.close()
    await log.close()
    lost, forgotten = found[GapKind.RETENTION], found[GapKind.OFFSETS]
    assert (lost.partition, lost.first_offset, lost.last_offset, lost.certain, lost.by) == (2, 5, 8, True, "host:1:ab")
    assert (forgotten.partition, forgotten.first_offset, forgotten.last_offset, forgotten.certain) == (3, 0, 3, False)
    assert one.gaps.counts == {"retention": 1, "offsets": 1}


async def test_old_reports_are_removed_once_an_hour_the_pollers_too(tmp_path: Path) -> None:
    log, now = log_in(tmp_path), [1.8e9]
    reports, table = RecordGaps(clock=lambda: now[0]), await log.control()
    reports.found(GapKind.RETENTION, 0, range(1, 2))
    for moment, left in ((0, 1), (LONGEST_KEPT - 1, 1), (LONGEST_KEPT + 1, 1), (LONGEST_KEPT + 3600, 0)):
        now[0] = 1.8e9 + moment
        await reports.read(table, await table.snapshot())
        assert len(await _seen(table)) == left
    await table.close()
    await log.close()


class Refusing(SqliteTable):
    """Does not take what is written."""

    async def put(self, key: str, document: bytes) -> None:
        raise PublishFailed("the disk is full")


async def test_a_report_waits_until_the_table_takes_it_and_a_gap_that_grows_is_written_again(tmp_path: Path) -> None:
    log, reports = log_in(tmp_path), RecordGaps()
    table, refusing = await log.control(), Refusing(await File.open(tmp_path / "log.db"), CONTROL)
    for stop in (2, 5, 4):
        reports.found(GapKind.RETENTION, 0, range(1, stop))
        with pytest.raises(PublishFailed):
            await reports.read(refusing, {})
    await reports.leave(table)
    assert [gap.last_offset for gap in await _seen(table)] == [4]
    reports.found(GapKind.RETENTION, 0, range(1, 9))
    await reports.leave(table)
    assert [gap.last_offset for gap in await _seen(table)] == [8]
    assert reports.counts == {"retention": 1}
    for one in (table, refusing):
        await one.close()
    await log.close()
