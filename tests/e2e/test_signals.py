"""Stopping: with any reader of our log, with anything that hangs, and with a signal at any moment."""

from __future__ import annotations

import os
import pty
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from simulator.tenant_log import TenantLog
from tests.e2e.stack import COMMAND, Stack, simple
from tests.support import faults
from tests.support.kafka.broker import Broker
from tests.support.listed_log import ListedLog
from tests.support.process_guard import guarded

#: Look-ups below this name take a minute, as with name servers that do not respond.
SILENT = "silent.example"
#: Read by the interpreter at its start, from PYTHONPATH.
_SITECUSTOMIZE = f"""
import os, socket, sys, time
if os.environ.get("WITHOUT_UVLOOP"):
    sys.modules["uvloop"] = None
known = socket.getaddrinfo
def getaddrinfo(host, *more, **hints):
    if "{SILENT}" in str(host):
        os.write(2, b"looking up\\n")
        time.sleep(60)
    return known(host, *more, **hints)
socket.getaddrinfo = getaddrinfo
"""
#: The same, for a module whose import is slow.
_SLOW_IMPORT = """
import os, sys, time
class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == "{module}":
            sys.meta_path.remove(self)
            os.write(2, b"importing\\n")
            time.sleep(30)
sys.meta_path.insert(0, Slow())
"""
EVENTS = 600


@dataclass(frozen=True, slots=True)
class _Ends:
    """The standard streams of a process, and our ends of them."""

    streams: tuple[int, int, int]
    before: Callable[[], None] | None = None
    ours: tuple[int, ...] = ()


@contextmanager
def _started(stack: Stack, ends: _Ends, *arguments: str, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
    stdin, stdout, stderr = ends.streams
    process = subprocess.Popen(
        [COMMAND, *arguments],
        cwd=stack.folder,
        env=guarded(stack.environ(**settings)),
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        preexec_fn=ends.before,
        start_new_session=True,
    )
    for descriptor in {*ends.streams} - {subprocess.DEVNULL}:
        os.close(descriptor)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for descriptor in ends.ours:
            with suppress(OSError):
                os.close(descriptor)


def _reader_gone() -> _Ends:
    read, write = os.pipe()
    os.close(read)
    return _Ends((subprocess.DEVNULL, subprocess.DEVNULL, write))


def _reader_stuck() -> _Ends:
    read, write = os.pipe()
    return _Ends((subprocess.DEVNULL, subprocess.DEVNULL, write), ours=(read,))


def _full() -> _Ends:
    return _Ends((subprocess.DEVNULL, subprocess.DEVNULL, os.open("/dev/full", os.O_WRONLY)))


def _closed() -> _Ends:
    def close() -> None:
        for descriptor in range(3):
            os.close(descriptor)

    return _Ends((subprocess.DEVNULL,) * 3, before=close)


def _to(file: Path) -> _Ends:
    return _Ends((subprocess.DEVNULL, subprocess.DEVNULL, os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)))


# -- whatever the reader of our log does


@pytest.mark.parametrize("ends", [_reader_gone, _reader_stuck, _full, _closed])
def test_events_are_delivered_and_a_stop_is_heard_whatever_the_log_s_reader_does(
    stack_with: Callable[[int], Stack], ends: Callable[[], _Ends]
) -> None:
    stack = stack_with(EVENTS)
    with _started(stack, ends(), "run") as process:
        stack.wait_delivered(EVENTS)
        process.terminate()
        assert process.wait(60) == 0
    with closing(sqlite3.connect(stack.folder / "log.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert b'"level"' not in (stack.folder / "log.db").read_bytes()


def test_a_terminal_that_goes_stops_it_and_everything_is_committed(stack_with: Callable[[int], Stack]) -> None:
    stack = stack_with(50)
    environ = guarded(stack.environ())
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(stack.folder)
        os.execve(COMMAND, [COMMAND, "run"], environ)
    stack.wait_delivered(50)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(_waited(pid)) == 0
    again = stack.start("run", "--once")
    assert again.wait() == 0
    assert len(stack.receiver.journal.duplicates) == 0


def _waited(pid: int, within: float = 30) -> int:
    deadline = time.monotonic() + within
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return status
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


# -- which signals


def test_sighup_stops_it_as_sigterm_does_and_a_second_one_changes_nothing(stack_with: Callable[[int], Stack]) -> None:
    stack = stack_with(3)
    stack.receiver.latency = 1.0
    process = stack.start("run")
    stack.until(lambda: stack.receiver.open_calls.now > 0)
    process.send(signal.SIGHUP)
    process.wait_for_log('"signal": "SIGHUP"')
    assert process.stop(signal.SIGHUP) == 0
    assert "draining" in process.text
    assert len(stack.receiver.journal.delivered) > 0


def test_a_sighup_that_was_ignored_at_the_start_stays_ignored(stack_with: Callable[[int], Stack]) -> None:
    stack = stack_with(5)
    stack.prefix = ("nohup",)
    process = stack.start("run")
    process.wait_for_log("polling Auth0")
    process.send(signal.SIGHUP)
    stack.wait_delivered(5)
    assert "SIGHUP" not in process.text
    assert process.stop() == 0


# -- a second signal, at every stage


def test_a_second_signal_ends_it_at_once_while_calls_are_drained(stack_with: Callable[[int], Stack]) -> None:
    stack = stack_with(3)
    stack.receiver.script.add(faults.hang_before_headers())
    process = stack.start("run")
    process.wait_for_log("partition assigned")
    stack.until(lambda: stack.receiver.open_calls.now > 0)
    process.send(signal.SIGTERM)
    process.wait_for_log('"signal": "SIGTERM"')
    assert process.stop(signal.SIGINT, within=3) == 128 + signal.SIGINT


_BLOCKED_LOOP = """
import time
from admin.supervisor import run
async def work(stop):
    print("here", flush=True)
    time.sleep(60)
run(work, grace=0.1)
"""
_AFTER_THE_LOOP = """
import time
from admin.supervisor import run
async def work(stop):
    print("here", flush=True)
    await stop.wait()
run(work, grace=60)
print("here", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize(("program", "number"), [(_BLOCKED_LOOP, 1), (_AFTER_THE_LOOP, 2)], ids=["loop blocked", "loop closed"])
def test_a_second_signal_ends_it_at_once_also_where_no_loop_can_hear_it(program: str, number: int) -> None:
    with _program(program) as process:
        assert process.stdout
        process.stdout.readline()
        for _ in range(number - 1):
            process.terminate()
            process.stdout.readline()
        deadline = time.monotonic() + 4
        while process.poll() is None and time.monotonic() < deadline:
            process.terminate()  # several at the same moment are one
            time.sleep(0.02)
        assert process.poll() == 128 + signal.SIGTERM


def test_a_process_whose_loop_is_blocked_ends_after_the_grace() -> None:
    with _program(_BLOCKED_LOOP) as process:
        assert process.stdout
        process.stdout.readline()
        process.terminate()
        assert process.wait(60) == 3


@contextmanager
def _program(text: str) -> Iterator[subprocess.Popen[bytes]]:
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", text], cwd=root, env=guarded(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_stop_before_there_is_anything_to_drain_ends_it_quietly(
    stack_with: Callable[[int], Stack], number: signal.Signals
) -> None:
    """It reads its settings, and waits for a secret that another process has not yet written."""
    stack = stack_with(0)
    fifo = stack.folder / "secret"
    os.mkfifo(fifo)
    process = stack.start("run", AUTH0_CLIENT_SECRET="", AUTH0_CLIENT_SECRET_FILE=str(fifo))
    writer = os.open(fifo, os.O_WRONLY)  # once it has opened it

    def has_ended() -> bool:
        process.send(number)  # one that comes in the moment before it reads is seen at the next
        return not process.alive

    stack.until(has_ended, within=10)
    assert process.wait() == 0
    os.close(writer)
    assert process.text == ""


@pytest.mark.parametrize("module", ["typer", "structlog", "pydantic", "httpx"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_something_is_being_imported_leaves_no_traceback(
    stack_with: Callable[[int], Stack], number: signal.Signals, module: str
) -> None:
    stack = stack_with(0)
    (stack.folder / "sitecustomize.py").write_text(_SLOW_IMPORT.format(module=module))
    process = stack.start("run", PYTHONPATH=str(stack.folder))
    process.wait_for_log("importing")
    assert process.stop(number, within=3) == 0
    assert "Traceback" not in process.text


def test_a_stop_while_kafka_is_waited_for_ends_at_once(stack_with: Callable[[int], Stack]) -> None:
    stack = stack_with(0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        process = stack.start("run", KAFKA_BOOTSTRAP_SERVERS=f"127.0.0.1:{port}")
        with silent.accept()[0]:
            assert process.stop(within=5) == 0
    assert "stopped before Kafka could be reached" in process.text


# -- silent name servers


@pytest.mark.parametrize("uvloop", ["", "1"], ids=["uvloop", "asyncio"])
@pytest.mark.parametrize(
    "settings",
    [
        {"WEBHOOK_URL": f"http://webhook.{SILENT}/", "DRAIN_TIMEOUT": "0.5"},
        {"AUTH0_DOMAIN": f"https://tenant.{SILENT}"},
        {"KAFKA_BOOTSTRAP_SERVERS": f"kafka.{SILENT}:9092"},
    ],
    ids=["webhook", "tenant", "kafka"],
)
def test_a_look_up_that_hangs_holds_up_no_end(stack_with: Callable[[int], Stack], settings: dict[str, str], uvloop: str) -> None:
    stack = stack_with(3)
    (stack.folder / "sitecustomize.py").write_text(_SITECUSTOMIZE)
    process = stack.start("run", PYTHONPATH=str(stack.folder), WITHOUT_UVLOOP=uvloop, **settings)
    process.wait_for_log("looking up")
    assert process.stop(within=12) == 0


#: Every look-up takes a minute once the file named here is there.
_SILENT_LATER = """
import os, socket, time
known = socket.getaddrinfo
def getaddrinfo(*arguments, **hints):
    if os.path.exists("silent"):
        os.write(2, b"looking up\\n")
        time.sleep(60)
    return known(*arguments, **hints)
socket.getaddrinfo = getaddrinfo
"""


@pytest.mark.outages
@pytest.mark.parametrize("log", ["own kafka"], indirect=True)
def test_name_servers_that_fall_silent_while_brokers_are_away_hold_up_no_end(
    stack_of: Callable[[TenantLog], Stack], own_kafka: Broker
) -> None:
    stack = stack_of(ListedLog(simple(range(20))))
    (stack.folder / "sitecustomize.py").write_text(_SILENT_LATER)
    process = stack.start("run", PYTHONPATH=str(stack.folder), STOP_GRACE="12", DRAIN_TIMEOUT="1")
    stack.wait_delivered(20)
    (stack.folder / "silent").touch()
    own_kafka.kill()
    process.wait_for_log("looking up")
    assert process.stop(within=12 + 5) in (0, 3)
    assert "Traceback" not in process.text
