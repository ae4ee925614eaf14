"""Few file descriptors, in real processes: one that needs more ends at its start, and running out of them costs no attempt."""

from __future__ import annotations

import os
import resource
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from simulator.tenant_log import TenantLog
from tests.e2e.stack import Process, Stack, simple, stacked
from tests.support import faults
from tests.support.listed_log import ListedLog

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="the limit of another process can be changed on Linux only")


def _limited(limit: str) -> tuple[str, ...]:
    return ("sh", "-c", f'ulimit {limit} && exec "$0" "$@"')


@pytest.fixture
def tenant_log() -> ListedLog:
    return ListedLog([])


@pytest.fixture
def stack(tmp_path: Path, tenant_log: ListedLog) -> Iterator[Stack]:
    with stacked(tmp_path, {"SQLITE_PATH": str(tmp_path / "log.db")}, tenant_log) as stack:
        yield stack


def test_sixty_four_are_enough_for_the_default_number_of_calls(stack_of: Callable[[TenantLog], Stack]) -> None:
    """On the embedded log and on Kafka."""
    stack = stack_of(ListedLog(simple(range(100))))
    stack.receiver.script.add(faults.slow(0.02))
    stack.prefix = _limited("-n 64")
    process = stack.start("run")
    stack.wait_delivered(100)
    assert process.stop() == 0
    assert "descriptor" not in process.text


@on_linux
def test_a_poller_without_one_says_so_and_asks_again(stack: Stack, tenant_log: ListedLog) -> None:
    process = stack.start("run", POLL_INTERVAL="0.1", VERBOSITY="info")
    _append(tenant_log, simple([0]))
    stack.wait_delivered(1)
    soft, hard = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (3, hard))  # what is open stays open
    stack.tenant.faults.add(faults.close(), times=1)
    process.wait_for_log("no file descriptor is left")
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (soft, hard))
    _append(tenant_log, simple(range(1, 20)))
    stack.wait_delivered(20)
    assert process.stop() == 0
    assert "Traceback" not in process.text


@pytest.mark.parametrize(
    ("limit", "calls", "words"),
    [
        (64, 100, ("WEBHOOK_CONCURRENT_CALLS=100", "limit of 64", "more than 16", "ulimit -n")),
        (32, 5, ("limit of 32", "53", "ulimit -n")),
        (16, 5, ("limit of 16", "53", "ulimit -n")),
    ],
)
def test_more_calls_than_the_limit_allows_are_refused_at_the_start(
    stack: Stack, limit: int, calls: int, words: tuple[str, ...]
) -> None:
    stack.prefix = _limited(f"-n {limit}")
    process = stack.start("run", WEBHOOK_CONCURRENT_CALLS=str(calls))
    assert process.wait(60) == 3, process.text
    assert all(word in process.text for word in words), process.text
    assert "Traceback" not in process.text


def test_the_soft_limit_is_raised_where_the_hard_one_allows_it(stack: Stack) -> None:
    stack.prefix = _limited("-Sn 64")
    process = stack.start("run", WEBHOOK_CONCURRENT_CALLS="100")
    process.wait_for_log("partition assigned")
    assert process.stop() == 0


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_a_receiver_without_one_for_a_connection_goes_on_with_those_it_has(stack: Stack, loop: str, tmp_path: Path) -> None:
    folder = tmp_path / loop
    if loop == "asyncio":
        (folder / "uvloop").mkdir(parents=True)
        (folder / "uvloop" / "__init__.py").write_text("raise ImportError")
    stack.prefix = _limited("-n 64")
    process = stack.start("listen", "--port", "0", PYTHONPATH=os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]))
    process.wait_for_log("listening")
    port = int(process.text.rpartition(":")[2].rstrip("/\n"))
    with ExitStack() as opened:
        connections = [opened.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10)) for _ in range(100)]
        for connection in connections:
            connection.sendall(b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 2\r\n\r\n{}")
        assert connections[0].recv(100).startswith(b"HTTP/1.1 200")
        stack.until(lambda: len([line for line in process.text.splitlines() if line.startswith("200")]) > 40)
        assert process.alive
    assert process.stop() == 0
    assert process.text.count("no file descriptor is left") <= 1
    assert "Traceback" not in process.text


@on_linux
def test_running_out_of_them_spends_no_attempt_and_opens_no_breaker(stack: Stack, tenant_log: ListedLog) -> None:
    stack.receiver.script.add(faults.slow(0.1))
    process = stack.start(
        "run", WEBHOOK_CONCURRENT_CALLS="20", WEBHOOK_MAX_ATTEMPTS="1", WEBHOOK_BREAKER_FAILURES="1", VERBOSITY="info"
    )
    process.wait_for_log("partition assigned")
    _append(tenant_log, simple([0]))
    stack.wait_delivered(1)
    _leave(process, 3)
    _append(tenant_log, simple(range(1, 101), users=100))
    stack.wait_delivered(101)
    assert process.stop() == 0
    assert process.text.count("no call can start beside those that are open") == 1
    for unwanted in ("Traceback", "breaker open", "set aside", "not delivered"):
        assert unwanted not in process.text


def _leave(process: Process, spare: int) -> None:
    """Lowers the limit to the open ones and a few more."""
    highest = max(int(file.name) for file in Path(f"/proc/{process.pid}/fd").iterdir())
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (highest + 1 + spare, highest + 1 + spare))


def _append(tenant_log: ListedLog, raws: list[bytes]) -> None:
    for raw in raws:
        tenant_log.append(raw)
