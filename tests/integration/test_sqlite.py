"""What only the SQLite adapter does; what all adapters do is in `tests/contract`."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from shared.errors import PublishFailed, TransportUnusable
from shared.transport.port import OLDEST, Checkpoint, Position, Repeats
from shared.transport.sqlite import file
from shared.transport.sqlite.member import SqliteMember
from shared.transport.sqlite.publisher import SqlitePublisher
from shared.transport.sqlite.transport import SqliteTransport
from tests.contract.harness import ContractListener, checkpoint_of, event, events, publish, read


def _log(path: Path, retention_days: float = 14) -> SqliteTransport:
    return SqliteTransport(path / "log.db", retention_days=retention_days, concurrent_calls=5)


async def test_a_full_disk_leaves_the_checkpoint_and_heals(tmp_path: Path) -> None:
    """SQLite's own limit on pages makes the same error as the disk."""
    publisher = await _log(tmp_path).publisher()
    assert isinstance(publisher, SqlitePublisher)
    await publisher.acquire()
    await publisher.publish(events(0, 5), checkpoint_of(events(0, 5)))
    connection = publisher._file._connection
    (pages,) = await publisher._file.run(lambda c: c.execute("PRAGMA page_count").fetchone())
    await publisher._file.run(lambda c: c.execute(f"PRAGMA max_page_count={pages + 1}").fetchone())
    big = [event(number, extra=f', "details": "{"x" * 50_000}"') for number in range(5, 10)]
    for _ in range(2):
        with pytest.raises(PublishFailed, match="full disk"):
            await publisher.publish(big, checkpoint_of(big))
    assert await publisher.acquire() == checkpoint_of(events(0, 5))
    await publisher._file.run(lambda c: c.execute("PRAGMA max_page_count=1000000").fetchone())
    assert await publisher.publish(big, checkpoint_of(big)) == 5
    assert connection is publisher._file._connection
    await publisher.close()


async def test_a_position_that_cannot_be_stored_returns_false(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file, "_BUSY_TIMEOUT", 0.05)
    await publish(_log(tmp_path), events(0, 3))
    member = await _log(tmp_path).member(ContractListener())
    with closing(sqlite3.connect(tmp_path / "log.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert not await member.commit({0: Position(2)})
        other.execute("ROLLBACK")
    assert await member.commit({0: Position(2)})
    await member.close()


async def test_a_full_disk_is_named_once_until_the_position_can_be_stored_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await publish(_log(tmp_path), events(0, 3))
    member = await _log(tmp_path).member(ContractListener())
    assert isinstance(member, SqliteMember)
    (pages,) = await member._file.run(lambda c: c.execute("PRAGMA page_count").fetchone())
    for _ in range(2):
        await member._file.run(lambda c: c.execute(f"PRAGMA max_page_count={pages}").fetchone())
        for _ in range(3):
            assert not await member.commit({0: Position(2, "x" * 1_000_000)})
        await member._file.run(lambda c: c.execute("PRAGMA max_page_count=1000000").fetchone())
        assert await member.commit({0: Position(2)})
    printed = capsys.readouterr().out
    assert printed.count("is on a full disk: make room") == 2
    assert printed.count("can be stored again") == 2
    await member.close()


async def test_offsets_are_never_used_twice(tmp_path: Path) -> None:
    await publish(_log(tmp_path), events(0, 3))
    with closing(sqlite3.connect(tmp_path / "log.db")) as other:
        other.execute("DELETE FROM record")
        other.commit()
    await publish(_log(tmp_path), events(3, 4))
    member = await _log(tmp_path).member(ContractListener())
    assert [record.offset for _, record in await read(member, 1)] == [4]
    await member.close()


async def test_an_event_that_is_there_already_is_not_published_again(tmp_path: Path) -> None:
    await publish(_log(tmp_path), events(0, 10))
    publisher = await _log(tmp_path).publisher()
    await publisher.acquire()
    assert await publisher.publish(events(5, 15), checkpoint_of(events(5, 15))) == 5
    await publisher.close()


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (b"not json", "not one of ours or is damaged"),
        (b'{"v":1}', "not one of ours or is damaged"),
        (b'{"v":1,"log_id":7,"date":""}', "not one of ours or is damaged"),
        (b'{"v":3,"log_id":"900","date":""}', "upgrade"),
    ],
)
async def test_a_checkpoint_that_cannot_be_used_is_refused(tmp_path: Path, document: bytes, words: str) -> None:
    await publish(_log(tmp_path), events(0, 1))
    with closing(sqlite3.connect(tmp_path / "log.db")) as other:
        other.execute("UPDATE checkpoint SET document = ?", (document,))
        other.commit()
    publisher = await _log(tmp_path).publisher()
    with pytest.raises(TransportUnusable, match=words):
        await publisher.acquire()
    await publisher.close()


async def test_an_older_release_lists_dead_letters_of_one_second_in_their_order(tmp_path: Path) -> None:
    table = await _log(tmp_path).dead_letters()
    for log_id in ("c", "a", "b"):
        await table.put(log_id, b"{}")
        await asyncio.sleep(0.01)
    await table.close()
    with closing(sqlite3.connect(tmp_path / "log.db")) as older:
        stored = older.execute("SELECT log_id, time FROM dead_letter ORDER BY time, log_id").fetchall()
    assert [log_id for log_id, _ in stored] == ["c", "a", "b"]
    assert stored[0][1] == pytest.approx(time.time(), abs=60)


async def test_a_new_file_may_be_opened_by_many_at_once(tmp_path: Path) -> None:
    """Two processes that start side by side once met "busy" on the new file, and one of them ended."""
    publishers = await asyncio.gather(*(_log(tmp_path).publisher() for _ in range(8)))
    await publishers[0].acquire()
    await publishers[0].publish([], Checkpoint(log_id="900"))
    for publisher in publishers:
        await publisher.close()


async def test_after_a_reset_only_what_was_removed_can_be_published_again_and_the_question_says_so(tmp_path: Path) -> None:
    log = _log(tmp_path)
    await publish(log, events(0, 10))
    with closing(sqlite3.connect(tmp_path / "log.db")) as other:
        other.execute("DELETE FROM record WHERE offset <= 4")
        other.commit()
    assert await log.set_checkpoint(OLDEST, lambda repeats: repeats == Repeats(held=0, removed=4))
    publisher = await log.publisher()
    await publisher.acquire()
    assert await publisher.publish(events(0, 10), checkpoint_of(events(0, 10))) == 4
    await publisher.close()
    await log.close()
