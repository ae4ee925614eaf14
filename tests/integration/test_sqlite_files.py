"""The embedded log in the file system: the same locks by any path, and no rights for other users."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shared.errors import TransportUnusable
from shared.transport.sqlite.transport import SqliteTransport
from tests.contract.harness import ContractListener, checkpoint_of, events, publish, read


def _log(path: Path) -> SqliteTransport:
    return SqliteTransport(path, retention_days=14, concurrent_calls=5)


def _the_same(folder: Path) -> Path:
    return folder / "log.db"


def _a_link(folder: Path) -> Path:
    (folder / "link.db").symlink_to(folder / "log.db")
    return folder / "link.db"


def _a_link_to_a_link(folder: Path) -> Path:
    (folder / "first.db").symlink_to("log.db")
    (folder / "second.db").symlink_to("first.db")
    return folder / "second.db"


def _a_linked_folder(folder: Path) -> Path:
    other = folder.with_name(f"{folder.name}-linked")
    other.symlink_to(folder)
    return other / "log.db"


def _a_way_around(folder: Path) -> Path:
    (folder / "sub").mkdir()
    return folder / "sub" / ".." / "log.db"


def _relative(folder: Path) -> Path:
    return Path(os.path.relpath(folder / "log.db"))


@pytest.mark.parametrize("there", [True, False], ids=["a file", "no file yet"])
@pytest.mark.parametrize("way", [_the_same, _a_link, _a_link_to_a_link, _a_linked_folder, _a_way_around, _relative])
async def test_the_locks_are_the_same_whatever_way_leads_to_the_file(
    tmp_path: Path, way: Callable[[Path], Path], there: bool
) -> None:
    """By a symbolic link a second process found locks of its own, and both delivered everything."""
    plain, other = tmp_path / "log.db", way(tmp_path)
    if there:
        await publish(_log(plain), events(0, 3))
    first = await _log(other).member(ContractListener())
    with pytest.raises(TransportUnusable, match="already has a consumer"):
        await _log(plain).member(ContractListener())
    publisher, second = await _log(plain).publisher(), await _log(other).publisher()
    await publisher.acquire()
    with pytest.raises(TransportUnusable, match="already has a poller"):
        await second.acquire()
    for part in (first, publisher, second):
        await part.close()
    assert {name for name in _modes(tmp_path) if name.endswith(".lock")} == {"log.db.consumer.lock", "log.db.poller.lock"}


async def test_a_file_with_two_names_is_refused(tmp_path: Path) -> None:
    """SQLite's journal goes by the name, so a second one would damage the file, whatever the locks say."""
    await publish(_log(tmp_path / "log.db"), events(0, 3))
    (tmp_path / "other.db").hardlink_to(tmp_path / "log.db")
    with pytest.raises(TransportUnusable, match="has 2 names"):
        await _log(tmp_path / "other.db").publisher()
    (tmp_path / "other.db").unlink()
    await publish(_log(tmp_path / "log.db"), events(3, 4))


@pytest.mark.parametrize(
    "make", [os.mkfifo, os.mkdir, lambda path: Path(path).symlink_to("/dev/null")], ids=["fifo", "dir", "device"]
)
async def test_what_is_no_file_is_refused_and_left_as_it_is(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "log.db"
    make(path)
    mode = path.stat().st_mode
    with pytest.raises(TransportUnusable, match="is not a regular file"):
        await _log(path).publisher()
    assert path.stat().st_mode == mode


async def test_a_lock_is_not_taken_through_a_link_that_another_user_laid(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    (tmp_path / "log.db.poller.lock").symlink_to(victim)
    publisher = await _log(tmp_path / "log.db").publisher()
    with pytest.raises(TransportUnusable, match=r"the lock .*log.db.poller.lock cannot be opened"):
        await publisher.acquire()
    await publisher.close()
    assert not victim.exists()


@contextmanager
def _umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def _modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


_ALL = {f"log.db{end}": 0o600 for end in ("", "-wal", "-shm", ".consumer.lock", ".poller.lock")}


@pytest.mark.parametrize("mask", [0, 0o022, 0o277], ids=oct)
async def test_all_files_are_for_their_owner_alone_whatever_the_umask(tmp_path: Path, mask: int) -> None:
    with _umask(mask):
        member = await _log(tmp_path / "log.db").member(ContractListener())
        publisher = await _log(tmp_path / "log.db").publisher()
        await publisher.acquire()
        await publisher.publish(events(0, 3), checkpoint_of(events(0, 3)))
        assert _modes(tmp_path) == _ALL
        await read(member, 3)
        await member.close()
        await publisher.close()


async def test_files_that_were_open_to_others_are_closed_to_them_and_logged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await publish(_log(tmp_path / "log.db"), events(0, 3))
    reader = _log(tmp_path / "log.db")
    await reader.progress()
    (tmp_path / "log.db.consumer.lock").touch()
    for name in _modes(tmp_path):
        (tmp_path / name).chmod(0o664)
    member = await _log(tmp_path / "log.db").member(ContractListener())
    publisher = await _log(tmp_path / "log.db").publisher()
    await publisher.acquire()
    assert _modes(tmp_path) == _ALL
    assert capsys.readouterr().out.count("was open to other users") == 5
    for part in (member, publisher, reader):
        await part.close()


@pytest.fixture
def folder_for_all() -> Iterator[Path]:
    """One that every user can reach and write to; pytest's own are closed."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


@contextmanager
def _as_user(uid: int) -> Iterator[None]:
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
async def test_root_leaves_no_file_behind_that_locks_the_owner_out(folder_for_all: Path) -> None:
    log = _log(folder_for_all / "log.db")
    with _as_user(65534):
        await publish(log, events(0, 3))
    member = await log.member(ContractListener())
    await publish(log, events(3, 4))
    assert {(folder_for_all / name).stat().st_uid for name in _modes(folder_for_all)} == {65534}
    await member.close()
    with _as_user(65534):
        await (await log.member(ContractListener())).close()
        await publish(log, events(4, 5))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
async def test_a_file_of_another_owner_is_used_with_a_warning_if_it_can_be(
    folder_for_all: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = _log(folder_for_all / "log.db")
    with _as_user(65534):
        await publish(log, events(0, 3))
    (folder_for_all / "log.db").chmod(0o666)
    with _as_user(65533):
        await (await log.member(ContractListener())).close()
        assert "is open to other users: its owner should chmod it to 600" in capsys.readouterr().out
        with pytest.raises(TransportUnusable, match=r"poller.lock cannot be opened \(Permission denied\): start as the user"):
            await publish(log, events(3, 4))


async def test_what_looks_again_and_again_follows_the_path_to_a_file_that_has_taken_its_place(tmp_path: Path) -> None:
    """`tail --follow` and `status --watch` read the removed file for ever, as it was."""
    log = _log(tmp_path / "log.db")
    await publish(log, events(0, 3))
    reader, control = await log.reader(), await log.control()
    await control.put("a", b"old")
    assert (await reader.offsets(), (await log.progress())[0].lag) == ({0: range(1, 4)}, 3)
    (tmp_path / "away").mkdir()
    for name in ("log.db", "log.db-wal", "log.db-shm"):
        (tmp_path / name).rename(tmp_path / "away" / name)
    for look in (reader.offsets, log.progress, control.snapshot):
        with pytest.raises(TransportUnusable, match="is not there any more"):
            await look()
    await publish(_log(tmp_path / "log.db"), events(0, 9))
    assert (await reader.offsets(), (await log.progress())[0].lag) == ({0: range(1, 10)}, 9)
    assert [record.offset async for stretch in reader.read(0, range(1, 10)) for record in stretch] == [*range(1, 10)]
    assert await control.snapshot() == {}
    for opened in (reader, control, log):
        await opened.close()
