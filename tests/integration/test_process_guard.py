"""No process outlives the test run that started it: real runs of pytest are ended in the middle, in every way there is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.process_guard import carriers, guarded

ROOT = Path(__file__).parents[2]
_MARK = "INNER_RUN"
#: A test whose child has a child of its own, in another session, with little of the environment; then it waits, or ends at once.
_INNER = """
import os, subprocess, sys, tempfile, time
from pathlib import Path
from tests.support.process_guard import guarded, remove_at_end

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
PARENT = f"import subprocess, time; subprocess.Popen({SLEEP}, start_new_session=True); print('up', flush=True); time.sleep(600)"

def test_that_is_ended():
    remove_at_end(Path(os.environ["FOLDER"]))
    child = subprocess.Popen(
        [sys.executable, "-c", PARENT], env=guarded(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    )
    assert child.stdout.readline() == b"up\\n"
    ready = Path(os.environ["READY"])
    ready.with_suffix(".draft").write_text(str(os.getpid()))
    ready.with_suffix(".draft").rename(ready)
    if os.environ["ENDS"]:
        os._exit(1)  # as pytest-timeout does
    time.sleep(600)
"""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of pytest, with a child and a grandchild at work."""

    popen: subprocess.Popen[bytes]
    mark: str
    folder: Path
    #: The process in which the test runs.
    worker: int

    def nothing_is_left(self) -> None:
        self.popen.wait(60)
        deadline = time.monotonic() + 60
        while carriers(self.mark, _MARK) or self.folder.exists():
            assert time.monotonic() < deadline, carriers(self.mark, _MARK)
            time.sleep(0.02)


Start = Callable[..., Run]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    inner = tmp_path / "test_inner.py"
    inner.write_text(_INNER)
    started: list[Run] = []

    def start(*options: str, ends: str = "") -> Run:
        mark, ready, folder = uuid.uuid4().hex, tmp_path / "ready", tmp_path / "folder"
        folder.mkdir()
        own = {_MARK: mark, "READY": str(ready), "FOLDER": str(folder), "ENDS": ends}
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, *options, str(inner)]
        popen = subprocess.Popen(
            command, cwd=ROOT, env=guarded({**os.environ, **own}), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 60
        while not ready.exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        started.append(Run(popen, mark, folder, int(ready.read_text())))
        return started[-1]

    yield start
    for run in started:
        run.popen.kill()
        run.popen.wait()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_no_child_is_left_of_a_run_that_is_ended_by_a_signal(start: Start, number: int) -> None:
    run = start()
    assert len(carriers(run.mark, _MARK)) == 4  # pytest, its guard, the child, the child's child
    os.kill(run.popen.pid, number)
    run.nothing_is_left()


def test_no_child_is_left_of_a_worker_that_is_killed(start: Start) -> None:
    run = start("-n", "1", "--maxfail", "1", "--max-worker-restart", "0")
    assert run.worker != run.popen.pid
    os.kill(run.worker, signal.SIGKILL)
    run.nothing_is_left()


def test_no_child_is_left_of_a_run_that_ends_without_cleaning_up(start: Start) -> None:
    """So pytest-timeout ends a run: a consumer of a test was at work two hours later."""
    start(ends="at once").nothing_is_left()
