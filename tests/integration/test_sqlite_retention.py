"""What was delivered long ago is removed from the embedded log, and nothing else is."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import time
from collections.abc import Coroutine
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from admin.actions.dead_letters import Choice, chosen
from consumer.partitions.ledger import Ledger
from shared.transport.port import Position
from shared.transport.sqlite import file, retention
from shared.transport.sqlite.file import MIGRATIONS, File
from shared.transport.sqlite.member import SqliteMember
from shared.transport.sqlite.transport import SqliteTransport
from tests.contract.harness import ContractListener, checkpoint_of, event, events, publish, read

DAY = 86_400.0
SAMPLE = Path(__file__).parents[1] / "data" / "log-of-schema-1"
T = TypeVar("T")


def _log(path: Path) -> SqliteTransport:
    return SqliteTransport(path, retention_days=1, concurrent_calls=5)


def _age(path: Path, days: float, below: int = 1 << 60) -> None:
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("UPDATE record SET timestamp = timestamp - ? WHERE offset < ?", (days * DAY, below))


def _offsets(path: Path, where: str = "1") -> list[int]:
    with closing(sqlite3.connect(path)) as other:
        return [offset for (offset,) in other.execute(f"SELECT offset FROM record WHERE {where} ORDER BY offset")]


def _commit(path: Path, offset: int) -> None:
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("INSERT OR REPLACE INTO committed VALUES (0, ?, '')", (offset,))


async def _old_and_delivered(path: Path, count: int) -> None:
    await publish(_log(path), events(0, count))
    _age(path, 2)
    _commit(path, count + 1)


async def test_delivered_records_are_removed_after_their_time_and_no_others(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    await publish(_log(path), events(0, 10))
    _age(path, 2, below=9)
    member = await _log(path).member(ContractListener())
    await read(member, 10)
    assert await member.commit({0: Position(6)})
    await member.close()
    assert _offsets(path) == [6, 7, 8, 9, 10]
    _commit(path, 11)
    await (await _log(path).member(ContractListener())).close()
    assert _offsets(path) == [9, 10]


async def test_an_idle_process_removes_them_too(tmp_path: Path) -> None:
    """Only a commit did it once, a minute after the start: one from cron never removed anything."""
    path = tmp_path / "log.db"
    await _old_and_delivered(path, 50)
    member = await _log(path).member(ContractListener())
    assert await member.poll(wait=0, limit=100, paused={0}) == []
    assert _offsets(path) == []
    await member.close()


async def test_a_poll_removes_twice_what_it_brings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So it keeps up with any rate; each step is a transaction of its own, here of one record."""
    monkeypatch.setattr(retention, "_STEP", 0.0)
    path = tmp_path / "log.db"
    await _old_and_delivered(path, 300)
    await publish(_log(path), events(300, 400))
    member = await _log(path).member(ContractListener())
    for left in (260, 220, 180):
        assert len(await read(member, 20, limit=20)) == 20
        assert len(_offsets(path, "offset <= 300")) == left
    await member.close()


@pytest.mark.parametrize(("delivered", "old"), [(3_000, 0), (0, 3_000)], ids=["delivered lately", "undelivered for long"])
async def test_looking_for_old_records_reads_none(tmp_path: Path, delivered: int, old: int) -> None:
    """Counted in hundreds of steps of SQLite's machine: by the primary key it read one record after the other."""
    path = tmp_path / "log.db"
    await publish(_log(path), events(0, 3_000))
    _commit(path, delivered + 1)
    _age(path, 2, below=old + 1)
    opened = await File.open(path)
    steps: list[None] = []
    opened._connection.set_progress_handler(lambda: steps.append(None), 100)
    assert await opened.run(retention._remove, time.time() - DAY) == 0
    assert len(steps) < 10
    await opened.close()


async def test_the_file_returns_its_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "_SPARE_PAGES", 20)
    path = tmp_path / "log.db"
    await publish(_log(path), [event(number, extra=f', "d": "{"x" * 3_000}"') for number in range(1_000)])
    full = path.stat().st_size
    _age(path, 2)
    _commit(path, 1_001)
    member = await _log(path).member(ContractListener())
    assert isinstance(member, SqliteMember)
    await member._retention.finish(60)
    await member.close()
    assert path.stat().st_size < full / 20
    await publish(_log(path), events(1_000, 1_001))
    assert _offsets(path) == [1_001]


# -- files of older releases


def _pragma(path: Path, name: str) -> int:
    with closing(sqlite3.connect(path)) as other:
        (value,) = other.execute(f"PRAGMA {name}").fetchone()
    return int(value)


@pytest.mark.parametrize("rewritten", [file._REWRITTEN, 0], ids=["a small file", "a large file"])
async def test_a_file_of_the_first_schema_is_taken_over_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rewritten: int
) -> None:
    """It was written by the release before: 10 records, 4 delivered, a dead letter, a control document."""
    monkeypatch.setattr(file, "_REWRITTEN", rewritten)
    path = tmp_path / "log.db"
    shutil.copy(SAMPLE, path)
    _age(path, 4_000)
    log = _log(path)
    assert await log.checkpoint() == checkpoint_of(events(6, 10))
    member = await log.member(listener := ContractListener())
    assert listener.starts == {0: Position(5, "1;2,1;00000000")}
    assert [record.value for _, record in await read(member, 6)] == [sent.raw for sent in events(4, 10)]
    control = await log.control()
    assert [found.log_id for found in (await chosen(log, Choice())).dead_letters] == [events(3, 4)[0].log_id]
    assert await control.snapshot() == {"skip/x": b"{}"}
    await publish(_log(path), events(5, 12))
    for part in (member, control, log):
        await part.close()
    assert _offsets(path) == list(range(5, 13))
    assert _pragma(path, "user_version") == len(MIGRATIONS)
    assert bool(_pragma(path, "auto_vacuum")) is bool(rewritten)


# -- against a model


class RetentionMachine(RuleBasedStateMachine):
    """One file through its life: published to, delivered in any order, aged, cleaned up, restarted and killed."""

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self._folder = TemporaryDirectory()
        self._path = Path(self._folder.name) / "log.db"
        self._published = 0
        self._delivered: set[int] = set()
        self._join()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    def _join(self) -> None:
        self._listener = ContractListener()
        member = self._run(_log(self._path).member(self._listener))
        assert isinstance(member, SqliteMember)
        self._member = member
        self._ledger = Ledger(self._listener.starts[0])
        self._open: list[int] = []

    @rule(count=st.integers(1, 8))
    def publish(self, count: int) -> None:
        self._run(publish(_log(self._path), events(self._published, self._published + count)))
        self._published += count

    @rule(limit=st.integers(1, 6))
    def take(self, limit: int) -> None:
        for batch in self._run(self._member.poll(wait=0, limit=limit, paused=())):
            self._open += [record.offset for record in batch.records if self._ledger.take(record.offset)]

    @precondition(lambda self: self._open)
    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        offset = self._open.pop(data.draw(st.integers(0, len(self._open) - 1)))
        self._ledger.done(offset)
        self._delivered.add(offset)

    @rule()
    def commit(self) -> None:
        assert self._run(self._member.commit({0: self._ledger.committable}))

    @rule(below=st.integers(1, 40))
    def age(self, below: int) -> None:
        _age(self._path, 2, below)

    @rule()
    def remove_what_is_due(self) -> None:
        self._run(self._member._retention.finish(5))

    @rule()
    def restart(self) -> None:
        self._listener.positions[0] = self._ledger.committable
        self._run(self._member.close())
        self._join()

    @rule()
    def kill(self) -> None:
        self._run(self._member._file.close())
        self._join()

    @invariant()
    def nothing_undelivered_is_lost(self) -> None:
        assert set(_offsets(self._path)) >= set(range(1, self._published + 1)) - self._delivered

    def teardown(self) -> None:
        while True:
            for batch in (batches := self._run(self._member.poll(wait=0, limit=100, paused=()))):
                self._open += [record.offset for record in batch.records if self._ledger.take(record.offset)]
            if not batches:
                break
        for offset in self._open:
            self._ledger.done(offset)
        self._delivered |= set(self._open)
        assert self._delivered == set(range(1, self._published + 1))
        self.commit()
        _age(self._path, 2)
        self.remove_what_is_due()
        assert _offsets(self._path) == []
        self._run(self._member.close())
        self._runner.close()
        self._folder.cleanup()


TestModel = RetentionMachine.TestCase
TestModel.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
