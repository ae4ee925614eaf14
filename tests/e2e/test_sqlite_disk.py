"""The embedded log on a disk that is full: nothing is lost, deliveries go on, and it heals by itself once there is room."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.e2e.stack import stacked
from tests.support.listed_log import ListedLog
from tests.support.process_guard import guarded

COUNT = 600
_FULL = "is on a full disk: make room"


def _mount(*arguments: str) -> bool:
    return subprocess.run(["mount", *arguments], env=guarded(), capture_output=True, check=False).returncode == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """400 kB, in memory."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() != 0 or shutil.which("mount") is None or not _mount("-t", "tmpfs", "-o", "size=400k", "tmpfs", str(disk)):
        pytest.skip("only root can mount a small disk, and not in every container")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], env=guarded(), check=True)


def _events() -> list[bytes]:
    rest = f'"type":"s","date":"2026-11-20T00:00:00.000Z","details":"{"x" * 1_500}"'
    return [f'{{"log_id":"900{number:053d}",{rest},"user_id":"auth0|{number % 9}"}}'.encode() for number in range(COUNT)]


def test_a_full_disk_stops_what_comes_in_and_nothing_else_and_heals_by_itself(tmp_path: Path, small_disk: Path) -> None:
    with stacked(tmp_path, {"SQLITE_PATH": str(small_disk / "log.db")}, ListedLog(_events())) as stack:
        process = stack.start("run")
        process.wait_for_log(_FULL, within=60)
        stack.wait_delivered(50)
        assert 50 <= len(stack.receiver.journal.delivered) < COUNT
        other = stack.start("run", "--once", SQLITE_PATH=str(_filled(small_disk) / "other.db"))
        assert other.wait() == 3
        assert _FULL in other.text or "No space left on device" in other.text
        assert process.alive
        assert _mount("-o", "remount,size=50m", str(small_disk))
        stack.wait_delivered(COUNT, within=60)
        assert process.stop() == 0
        assert stack.receiver.journal.duplicates == ()
        assert "Traceback" not in process.text + other.text


def _filled(disk: Path) -> Path:
    with suppress(OSError), (disk / "filler").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4_096))
    return disk


def test_who_only_looks_is_told_of_a_full_disk_too(tmp_path: Path, small_disk: Path) -> None:
    """SQLite calls it an error of the disk: the file beside the log that readers share finds no room."""
    with stacked(tmp_path, {"SQLITE_PATH": str(small_disk / "log.db")}, ListedLog(_events()[:20])) as stack:
        assert stack.start("run", "--once").wait() == 0
        _filled(small_disk)
        process = stack.start("gaps", "list")
        assert process.wait() == 3
        assert _FULL in " ".join(process.text.split())


def test_a_read_only_disk_is_named(tmp_path: Path, small_disk: Path) -> None:
    with stacked(tmp_path, {"SQLITE_PATH": str(small_disk / "log.db")}, ListedLog(_events()[:20])) as stack:
        assert stack.start("run", "--once").wait() == 0
        assert _mount("-o", "remount,ro", str(small_disk))
        process = stack.start("run", "--once")
        assert process.wait() == 3
        assert "its folder, which has to be writable" in process.text
        assert "Traceback" not in process.text
