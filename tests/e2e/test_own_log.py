"""What our own log looks like: JSON to its last line for programs, short rows for a person."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.stack import COMMAND, Process, Stack, simple, stacked
from tests.support import faults
from tests.support.listed_log import ListedLog
from tests.support.process_guard import guarded

_ANSI = re.compile(r"\x1b\[[0-9;]*m")


def _lines(process: Process) -> list[dict[str, Any]]:
    """Every line that the process has written; fails where one is no JSON object with the fields that each has."""
    lines = [json.loads(line) for line in process.text.split("\n")[:-1]]
    assert lines
    assert all(line.keys() >= {"event", "level", "timestamp"} for line in lines)
    return lines


def test_every_line_of_a_run_is_json_whatever_goes_wrong(stack_with: Callable[[int], Stack]) -> None:
    stack = stack_with(40)
    stack.receiver.script.add(faults.status(503), times=5)
    stack.tenant.faults.sometimes(0.3, faults.status(500), faults.short_body())
    process = stack.start("run", PYTHONWARNINGS="default", PYTHONASYNCIODEBUG="1")
    stack.wait_delivered(40)
    assert process.stop() == 0
    lines = _lines(process)
    assert "not delivered" in process.text
    first = lines[1]
    assert lines[0]["event"].startswith("AUTH0_DOMAIN=")  # without TLS, as a simulator is
    assert (first["event"], first["tenant"], first["webhook"]) == ("starting", stack.tenant.url, stack.receiver.url)
    assert first["transport"] == "SQLite"
    assert [line["loop"] for line in lines if line["event"] == "stopped"] == ["poller", "worker"]


@pytest.mark.parametrize("command", ["run", "produce", "consume"])
def test_a_mistake_in_the_settings_is_a_line_of_json_for_each(stack_with: Callable[[int], Stack], command: str) -> None:
    process = stack_with(0).start(command, WEBHOOK_URL="nonsense", BATCH_SIZE="none", WINDOW="-1", SQLITE_PTH="x")
    assert process.wait() == 2
    lines = _lines(process)
    assert {(line["level"], line["exit_code"]) for line in lines} == {("error", 2)}
    assert any("SQLITE_PTH" in line["event"] for line in lines)


def test_a_fatal_start_is_json_and_counts_no_zeros(stack_with: Callable[[int], Stack]) -> None:
    stack = stack_with(3)
    process = stack.start("run", AUTH0_CLIENT_SECRET="wrong")
    assert process.wait() == 3
    lines = _lines(process)
    assert lines[-1]["level"] == "error"
    assert lines[-1]["exit_code"] == 3
    assert "AUTH0_CLIENT_SECRET" in lines[-1]["event"]
    assert "stopped" not in [line["event"] for line in lines]


def test_a_mistake_of_ours_is_json_too_with_its_traceback(stack_with: Callable[[int], Stack]) -> None:
    stack = stack_with(3)
    (stack.folder / "sitecustomize.py").write_text("import admin.compose\ndel admin.compose.loops\n")
    root = str(Path(__file__).parents[2])
    process = stack.start("run", PYTHONPATH=f"{stack.folder}:{root}")
    assert process.wait() == 1
    assert "AttributeError" in _lines(process)[-1]["exception"]


def test_what_a_run_leaves_is_a_line_of_json(stack_with: Callable[[int], Stack]) -> None:
    stack = stack_with(1)
    stack.receiver.script.add(faults.status(500))
    process = stack.start("run", "--once", "--timeout", "5")
    assert process.wait() == 3
    assert _lines(process)[-1]["undelivered"] == 1


def test_of_the_webhook_s_url_only_its_host_is_logged(stack_with: Callable[[int], Stack]) -> None:
    stack = stack_with(0)
    process = stack.start("run", WEBHOOK_URL=f"{stack.receiver.url}/services/T0/canary?token=canary-token")
    process.wait_for_log("polling Auth0")
    assert process.stop() == 0
    assert [line["webhook"] for line in _lines(process) if line["event"] == "starting"] == [stack.receiver.url]
    assert "canary" not in process.text


@pytest.mark.parametrize("arguments", [("status",), ("listen", "--port", "1", "--host", "256.0.0.1"), ("dead-letters", "list")])
@pytest.mark.parametrize("log_format", ["", "json"])
def test_operators_read_errors_as_text_unless_they_want_json(
    stack_with: Callable[[int], Stack], arguments: tuple[str, ...], log_format: str
) -> None:
    process = stack_with(0).start(*arguments, LOG_FORMAT=log_format)
    assert process.wait() == 3
    if log_format:
        assert _lines(process)[-1]["exit_code"] == 3
    else:
        assert process.text.startswith("error: ")


def test_log_format_is_heeded_in_the_dotenv_of_settings_that_cannot_be_used(stack_with: Callable[[int], Stack]) -> None:
    stack = stack_with(0)
    (stack.folder / ".env").write_text("LOG_FORMAT=JSON\nSQLITE_PTH=x\n")
    process = stack.start("status")
    assert process.wait() == 2
    assert _lines(process)[-1]["exit_code"] == 2


def test_listen_prints_bodies_and_nothing_else(tmp_path: Path) -> None:
    with stacked(tmp_path, {"SQLITE_PATH": str(tmp_path / "log.db")}, ListedLog(simple(range(5)))) as stack:
        with (tmp_path / "out").open("wb") as out, (tmp_path / "err").open("wb") as err:
            listen = subprocess.Popen(
                [COMMAND, "listen", "--json", "--port", "0"], stdout=out, stderr=err, env=guarded(stack.environ())
            )
        try:
            stack.until(lambda: "WEBHOOK_URL=" in (tmp_path / "err").read_text())
            url = (tmp_path / "err").read_text().split("WEBHOOK_URL=")[1].split()[0]
            assert stack.start("run", "--once", WEBHOOK_URL=url).wait() == 0
            listen.send_signal(signal.SIGTERM)
            assert listen.wait(60) == 0
        finally:
            listen.kill()
            listen.wait()
        bodies = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
        assert len(bodies) == 5
        assert all("log_id" in body for body in bodies)
        assert "stopping" not in (tmp_path / "err").read_text()


def test_a_person_s_rows_end_where_the_terminal_ends(stack_with: Callable[[int], Stack]) -> None:
    stack = stack_with(30)
    stack.receiver.script.add(faults.status(503), times=8)
    environ = guarded(stack.environ(VERBOSITY="debug"))
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(stack.folder)
        os.execve(COMMAND, [COMMAND, "run"], environ)
    stack.wait_delivered(30)
    os.kill(pid, signal.SIGTERM)
    text = b""
    try:
        while data := os.read(terminal, 65536):
            text += data
    except OSError:  # its other end is closed
        pass
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    rows = _ANSI.sub("", text.decode()).splitlines()
    allowed = [row for row in rows if len(row) <= 80 or re.fullmatch(r" {16}\S+", row)]  # a long path stays whole
    assert rows == allowed  # a terminal that was never told its size counts as 80 columns
    assert all(re.match(r"\d\d:\d\d:\d\dZ (debug|info |warn |error) |                \S", row) for row in rows), rows
    assert not any("consumer." in row or "producer." in row or "logger_name" in row for row in rows)


@pytest.mark.parametrize("settings", [{}, {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}], ids=["embedded log", "Kafka"])
def test_it_runs_where_every_warning_is_an_error(stack_with: Callable[[int], Stack], settings: dict[str, str]) -> None:
    process = stack_with(0).start("run", PYTHONWARNINGS="error", **settings)
    process.wait_for_log("cannot be reached yet" if settings else "polling Auth0")
    assert process.stop() == 0
    assert "exception" not in process.text
